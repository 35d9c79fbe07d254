#!/bin/sh
exec sh -c 'echo "became another"; exit 6'
