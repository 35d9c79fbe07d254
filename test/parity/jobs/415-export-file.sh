#!/bin/bash
#PARITY before printf 'FROM=file\0WITH=new\nline\0PATH=/usr/bin:/bin\0' > vars
#PARITY sbatch --export-file=vars
env -0 > all.environment
echo "$FROM"; echo "$WITH"
