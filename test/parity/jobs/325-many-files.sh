#!/bin/bash
mkdir many
for n in $(seq 500); do echo "$n" > "many/$n"; done
cat many/* | sort -n | tail -n 1
