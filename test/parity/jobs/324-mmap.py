#!/usr/bin/env python3
import mmap
with open("mapped", "w+b") as f:
    f.truncate(8192)
    with mmap.mmap(f.fileno(), 8192) as m:
        m[4096:4101] = b"hello"
print(open("mapped", "rb").read()[4096:4101])
