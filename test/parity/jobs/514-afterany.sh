#!/bin/sh
#PARITY depends afterany 512-first-fails
echo "after any"
