#!/bin/bash
file=$(mktemp /var/tmp/parity.XXXXXX) && echo hello > "$file" && cat "$file"; rm -f "$file"
