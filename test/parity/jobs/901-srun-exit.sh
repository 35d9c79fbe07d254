#!/bin/bash
#PARITY differs steps
#PARITY needs srun
srun sh -c 'exit 7'
echo "srun: $?"
srun sh -c 'exit 9'
