#!/bin/bash
setsid sh -c 'sleep 120; echo late > too-late' > /dev/null 2>&1 < /dev/null &
echo "left a daemon"
