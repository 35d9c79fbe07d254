#!/bin/bash
# What is left running when the script ends is ended with it.
(trap '' HUP; sleep 120; echo late > too-late) &
echo "left a child"
