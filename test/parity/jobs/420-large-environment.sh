#!/bin/bash
#PARITY env BIG="$(head -c 100000 /dev/zero | tr '\0' x)"
echo "${#BIG}"
env -0 > all.environment
