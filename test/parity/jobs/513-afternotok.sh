#!/bin/sh
#PARITY depends afternotok 512-first-fails
echo "after a bad one"
