#!/bin/bash
#PARITY differs stdout-pipe
#PARITY lines ^before$
echo before
echo "opened anew" > /dev/stdout
