#!/bin/sh
#PARITY depends afterok 510-first-ok
echo "after a good one"
