#!/bin/bash
#SBATCH --output=/dev/null --error=errors.err
echo nobody sees this
echo this is seen >&2
