#!/usr/bin/awk -f
BEGIN { print "awk", 2 ^ 10; exit 4 }
