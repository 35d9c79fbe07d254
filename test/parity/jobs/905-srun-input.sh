#!/bin/bash
#PARITY needs srun
echo hello | srun cat
