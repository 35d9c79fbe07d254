#!/usr/bin/env python3
# Leaves at once, and by a signal, with a full pipe behind it.
import os, signal, sys
os.write(1, b"x" * 65536)
sys.stdout.write("buffered, lost")
os.kill(os.getpid(), signal.SIGKILL)
