#!/bin/bash
#SBATCH --output=run-%j.out --error=run-%j.err
echo to stdout
echo to stderr >&2
