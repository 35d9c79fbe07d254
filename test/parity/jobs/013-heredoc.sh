#!/bin/bash
name=world
cat <<END
hello $name
END
cat <<'END'
literal $name `date`
END
python3 - one two <<'PY'
import sys
print(sys.argv)
PY
