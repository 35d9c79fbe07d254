#!/bin/sed -n -f
# Nothing to read: standard input is empty.
p
