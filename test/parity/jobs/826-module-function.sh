#!/bin/bash
#PARITY differs steps
#PARITY needs srun
#SBATCH -n 2
#PARITY before mkdir -p modules && printf 'export GCC_HOME=/opt/gcc\nPATH=/opt/gcc/bin:$PATH\n' > modules/gcc
# A function called module that evals what a program prints, exported so that the steps' shells have it too.
export MODULEPATH=$PWD/modules LOADEDMODULES=
module() { case $1 in load) eval "$(cat "$MODULEPATH/$2" 2>/dev/null || echo "echo 'module: $2 not found' >&2; false")" && LOADEDMODULES=${LOADEDMODULES:+$LOADEDMODULES:}$2;; list) echo "loaded: $LOADEDMODULES" ;; purge) LOADEDMODULES=; unset GCC_HOME ;; esac; }
export -f module
module load gcc; module list; module load nothing; echo "status $?"
srun -n2 -l bash -c 'module list; echo "$GCC_HOME ${PATH%%:*}"' | sort
env -u BASH_FUNC_module%% bash -c 'type module 2>&1 | head -1'
