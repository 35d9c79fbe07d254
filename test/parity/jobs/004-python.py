#!/usr/bin/env python3
import os, sys
print("argv", sys.argv[1:], "cwd", os.getcwd())
print("stdin", sys.stdin.read())
sys.stderr.write("to stderr\n")
sys.exit(3)
