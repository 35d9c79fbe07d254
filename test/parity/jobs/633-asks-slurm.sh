#!/bin/bash
#SBATCH --time=9 --job-name=asks
squeue -h -j "$SLURM_JOB_ID" -o '%T %j %u %l %C'
squeue --noheader --jobs="$SLURM_JOB_ID" --Format=Name:20,TimeLimit:12
SQUEUE_FORMAT='%j/%T' squeue -h -j "$SLURM_JOB_ID"
scontrol show job "$SLURM_JOB_ID" | grep -oE '(JobName|TimeLimit|JobState|Requeue|NumNodes)=[^ ]*'
scontrol -o show job "$SLURM_JOB_ID" | wc -l
left=$(squeue -h -j "$SLURM_JOB_ID" -O TimeLeft)
case $left in 8:*|9:00*) echo "nearly all of its time is left" ;; *) echo "left: $left" ;; esac
squeue -h -j 999999999
echo "squeue: $?"
scontrol show job 999999999
echo "scontrol: $?"
squeue --no-such-option 2> /dev/null
echo "option: $?"
sinfo -h -o '%t' > /dev/null
echo "sinfo: $?"
sacct -n -X -j "$SLURM_JOB_ID" -o User
while read -r id; do squeue -h -j "$id" -o "one of the lines: %j"; done <<< "$SLURM_JOB_ID
$SLURM_JOB_ID"
