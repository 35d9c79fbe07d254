#!/bin/bash
#SBATCH --propagate=CORE
ulimit -c 0
echo "ending by HUP"
kill -HUP $$
sleep 30
