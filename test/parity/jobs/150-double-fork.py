#!/usr/bin/env python3
# A daemon holds standard output open: the job is over nevertheless.
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for n in range(600): time.sleep(0.1)
        os._exit(0)
    os._exit(0)
os.wait(); print("daemon made"); raise SystemExit(17)
