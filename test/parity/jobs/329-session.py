#!/usr/bin/env python3
import os, signal
print("leads its process group", os.getpgrp() == os.getpid())
print("ignored", [s.name for s in signal.valid_signals() if hasattr(s, "name") and signal.getsignal(s) == signal.SIG_IGN])
print("blocked", sorted(int(s) for s in signal.pthread_sigmask(signal.SIG_BLOCK, [])))
print("nice", os.getpriority(os.PRIO_PROCESS, 0))
