#!/bin/bash
# Nothing of slurmstepd's or of spill's own is left open.
for fd in /proc/$$/fd/*; do echo "${fd##*/}"; done | grep -v 255
