#!/bin/sh
#PARITY ended scancel $JOB
echo fine
