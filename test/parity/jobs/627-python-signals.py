#!/usr/bin/env python3
#PARITY line ready: scancel --batch --signal=TERM $JOB
import signal, sys, time
def h(n, f):
    print("got", signal.Signals(n).name, flush=True)
    sys.exit("leaving on a signal")
for s in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1): signal.signal(s, h)
print("ready", flush=True)
while True: time.sleep(0.1)
