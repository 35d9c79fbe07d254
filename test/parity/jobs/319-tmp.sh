#!/bin/bash
file=$(mktemp) && echo hello > "$file" && cat "$file" && rm "$file"
echo "TMPDIR=${TMPDIR-unset}"
dir=$(mktemp -d /tmp/parity.XXXXXX) && stat -c '%a %u' "$dir" && rmdir "$dir"
