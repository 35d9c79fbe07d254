#!/bin/bash
mkfifo pipe
(for n in 1 2 3; do echo "item $n"; done > pipe) &
while read -r line; do echo "got $line"; done < pipe
