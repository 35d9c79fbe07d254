#!/usr/bin/env python3
import sys
sys.stdout.buffer.write(bytes(range(256)) * 64)
sys.stderr.buffer.write(b"\x00\xff\r\n\x1b[31m")
