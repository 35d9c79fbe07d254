#!/bin/bash
ulimit -v 200000
python3 -c 'x = bytearray(400 * 1024 * 1024)' 2>&1 | tail -n 1
