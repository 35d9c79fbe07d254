#!/bin/bash
echo "LANG=${LANG-unset} LC_ALL=${LC_ALL-unset}"
printf 'b\na\nB\nA\n' | sort | paste -sd' '
