#!/bin/bash
#PARITY args $(seq 1 4000)
echo "$# ${4000}"
