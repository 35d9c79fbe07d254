#!/bin/bash
umask 0007; touch a; mkdir d; chmod g+s d; touch d/in; install -m 751 a inst
umask 0777; touch nobody; umask u=rwx,g=rx,o=; umask -S; touch b
cp --preserve=mode a c; mv d e; ln b hard; ln -s nowhere dangling; ln -sfn e dirlink
chgrp physics b 2>&1; chmod 4750 b; chmod +t e
stat -c '%n %A %h %U %G' * | grep -v job.sh | grep -v slurm-
