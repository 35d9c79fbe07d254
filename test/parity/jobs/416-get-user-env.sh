#!/bin/bash
#SBATCH --get-user-env
env -0 > all.environment
