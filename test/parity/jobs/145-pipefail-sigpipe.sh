#!/bin/bash
set -o pipefail
yes | head -n 1
echo "status $?"
