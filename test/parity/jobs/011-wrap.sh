#!/bin/sh
#PARITY wrap
echo "wrapped $0" | sed 's/^/> /'; id -u; exit 5
