#!/bin/bash
#SBATCH --output=no/such/directory/job.out
echo nobody sees this
touch ran
