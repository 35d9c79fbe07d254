#!/bin/bash
#PARITY differs steps
#PARITY needs srun
srun sh -c 'kill -KILL $$'
exit $?
