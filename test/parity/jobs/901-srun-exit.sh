#!/bin/bash
#PARITY needs srun
srun sh -c 'exit 7'
echo "srun: $?"
srun sh -c 'exit 9'
