#!/bin/bash
#PARITY env ulimit -S -n 300; ulimit -S -s 4096; ulimit -S -c 0;
for what in c n s; do echo "$what $(ulimit -S -$what)"; done
