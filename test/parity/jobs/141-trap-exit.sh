#!/bin/bash
trap 'echo "leaving with $?"; rm -f scratch' EXIT
touch scratch
exit 8
