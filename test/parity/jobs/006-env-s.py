#!/usr/bin/env -S python3 -u -B
import sys
print(sys.flags.dont_write_bytecode, sys.stdout.isatty())
