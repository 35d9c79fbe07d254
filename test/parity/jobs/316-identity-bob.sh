#!/bin/bash
#PARITY user bob
id -u; id -G | tr ' ' '\n' | sort -n; echo "$HOME"
