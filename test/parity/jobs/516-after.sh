#!/bin/sh
#PARITY depends after 510-first-ok
echo "after its start"
