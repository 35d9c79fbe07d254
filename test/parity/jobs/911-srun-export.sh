#!/bin/bash
#PARITY sbatch --export=FOO=bar,ALL,EMPTY=,EQ=a=b,SP="two words",MINE
#PARITY env MINE=mine OTHER=kept LINE=x
#PARITY differs steps
#PARITY needs srun
echo "$FOO|${EMPTY-unset}|$EQ|$SP|$MINE|$OTHER|$LINE"
srun --export=FOO=step,ALL sh -c 'echo "$FOO|$MINE|$OTHER"'
srun --export=MINE,PATH,NEW=1 sh -c 'echo "${FOO-unset}|$MINE|${OTHER-unset}|$NEW"'
srun --export=NONE sh -c 'echo found' 2> none.err; echo "none $?"
sort -o none.err none.err
srun --export=NONE,PATH sh -c 'echo "${MINE-unset}"'
