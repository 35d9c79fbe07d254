#!/bin/bash
#PARITY differs steps
#PARITY needs srun
echo hello | srun cat
