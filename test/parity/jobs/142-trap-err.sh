#!/bin/bash
trap 'echo "line $LINENO failed"' ERR
false
true
exit 0
