#!/bin/bash
echo x > /dev/null && head -c 4 /dev/zero | od -An -tx1
test -c /dev/urandom && echo urandom
test -e /dev/fd/1 && test -e /dev/stdout && echo fds
echo "through /dev/stdout" >> /dev/stdout
echo "through /dev/stderr" >> /dev/stderr
