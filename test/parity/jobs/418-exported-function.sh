#!/bin/bash
#PARITY env bash -c 'say() { echo "function says $1"; }; export -f say; exec "$@"' --
say hello
env -0 > all.environment
