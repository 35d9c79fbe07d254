#!/bin/bash
file=/dev/shm/parity.$$
head -c 80000000 /dev/zero > "$file" && stat -c %s "$file"
rm -f "$file"
stat -c %a /dev/shm
