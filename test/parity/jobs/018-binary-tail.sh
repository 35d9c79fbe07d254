#!/bin/bash
# A self-extracting script: what follows exit is data.
sed '1,/^__DATA__$/d' "$0" | base64 -d
exit 0
__DATA__
aGVsbG8gZnJvbSB0aGUgdGFpbAo=
