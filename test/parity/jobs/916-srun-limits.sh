#!/bin/bash
#PARITY differs steps
#PARITY needs srun
ulimit -S -n 200; ulimit -S -c 0
srun bash -c 'for what in c f l n s t u v; do echo "$what $(ulimit -S -$what) $(ulimit -H -$what)"; done'
