#!/bin/bash
exec 9> lock
flock -n 9 && echo locked
flock -n lock true || echo "held already"
