#!/bin/bash
#PARITY differs steps
#PARITY needs srun
# Only ' and \ quote in this file, and any % but %t and %o goes with the character behind it.
cat > multi.conf <<'C'
# task program
0 echo master %t %ta a%t %% %x \%t \\%t
1-2,4 sh -c 'echo worker %t offset %o'
3 echo "double %t" a'b c'd \'x\' e\ f '' # no comment %o
5 python3 -c 'import sys; print(sys.argv)' line \
 joi\
ned %o%t%o
* echo rest %t %o
C
srun -l -n 8 -O --multi-prog multi.conf and "two %t" | sort
srun -Q -l -O --multi-prog multi.conf 2>&1 | wc -l
printf '0 true\n0 true\n' > twice.conf; srun --multi-prog twice.conf; echo $?
printf '0 true\n' > few.conf; srun -n2 -O --multi-prog few.conf; echo $?
