#!/bin/bash
#PARITY differs stdout-pipe
echo before
echo "opened anew" > /dev/stdout
