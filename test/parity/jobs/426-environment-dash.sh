#!/bin/sh
# A shell that sets nothing itself: what is here, Slurm made.
env -0 > all.environment
