#!/usr/bin/env python3
#PARITY args one 'two words' '' '*' '$HOME' "it's" '"' '\' --flag=x -- 'Grüße' "$(printf 'a\nb')"
import sys
for a in sys.argv[1:]: print(repr(a))
