#!/bin/bash
#SBATCH --error=only.err
echo to stdout
echo to stderr >&2
