#!/bin/bash
for n in $(seq 200); do echo "out $n"; echo "err $n" >&2; done
