#!/bin/bash
echo "bash $((6 * 7)) ${BASH_VERSINFO[0]}"
declare -A colour=([sky]=blue)
echo "${colour[sky]}" <(true) | sed 's,/dev/fd/[0-9]*,fd,'
