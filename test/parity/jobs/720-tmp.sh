#!/bin/bash
#SBATCH --tmp=20M --mem=100M --cores-per-socket=1 --hint=nomultithread
env -0 > all.environment; df -P /tmp > /dev/null && echo ok
