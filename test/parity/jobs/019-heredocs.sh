#!/bin/bash
cat <<-TABBED
	one tab gone $((1+1))
	TABBED
cat <<'QUOTED'
$HOME `date` \n
QUOTED
cat <<< "here string"
python3 - arg <<'PY'
import sys; print(sys.argv); print(sys.stdin.read() == "")
PY
sh -s -- one two <<'SH'
echo "$0 $#"; exit 12
SH
