#!/bin/bash
greet() { local who=$1; echo "hello $who"; return 9; }
greet you
exit $?
