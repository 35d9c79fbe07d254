#!/bin/bash
for mode in 000 400 600 644 755 1777 2755; do mkdir "d$mode"; chmod "$mode" "d$mode"; done
touch suid; chmod 4755 suid
