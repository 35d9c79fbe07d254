#!/bin/bash
#PARITY differs steps
#PARITY needs srun
# A terminal as stdout, that changes no byte of it.
kinds='for fd in 0 1 2; do if [ -t $fd ]; then printf "tty "; else printf "no "; fi; done; tty'
srun -Q -n1 -u sh -c "$kinds" 2> /dev/null
SLURM_UNBUFFEREDIO=1 srun -Q -n1 python3 -c 'import os, termios; print(os.isatty(1), [hex(x) for x in termios.tcgetattr(1)[:4]])'
srun -Q -n1 -u -o one.txt sh -c "$kinds" 2> /dev/null; srun -Q -n1 -u -o %t.txt sh -c "$kinds" 2> /dev/null
srun -Q -n1 -u -l printf 'a\tb\r\n\004c\003\nno end'; echo
srun -Q -n1 -u sh -c 'head -c 300000 /dev/zero | tr "\0" x; exit 3' 2> /dev/null | wc -c
