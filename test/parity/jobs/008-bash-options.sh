#!/bin/bash -eu
set -o pipefail
echo "flags $-"
false | cat
echo not reached
