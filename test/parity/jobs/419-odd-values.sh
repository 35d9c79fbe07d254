#!/bin/bash
#PARITY env ODD='a=b;c"d`e`$f\\g' UMLAUT='Grüße' GODEBUG=gctrace=1 LD_LIBRARY_PATH=/no/such PYTHONPATH=/no/such
env -0 > all.environment
