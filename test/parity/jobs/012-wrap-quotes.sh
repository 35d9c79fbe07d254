#!/bin/sh
#PARITY wrap
printf '%s\n' "it's" 'a "quoted" word' "\$HOME" '*' "$(echo sub)"
