#!/bin/bash
#SBATCH --nice=100
echo nice
