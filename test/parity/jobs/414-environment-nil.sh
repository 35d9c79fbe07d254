#!/bin/bash
#PARITY sbatch --export=NIL
#PARITY env MINE=lost
/usr/bin/env -0 > all.environment
