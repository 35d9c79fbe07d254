#!/bin/bash
#SBATCH --requeue --open-mode=append --signal=B:USR1@30
#PARITY line first: scancel --batch --signal=USR1 $JOB
# What much of the training of models does: told that its time is nearly over, it saves and puts itself into the queue again.
save() {
    echo "saved at step $step"
    scontrol requeue "$SLURM_JOB_ID"
    wait
}
trap save USR1
step=$(cat checkpoint 2>/dev/null || echo 0)
if [ "$step" = 0 ]; then
    echo "first"
    step=7
    echo $step > checkpoint
    sleep 300 &
    wait
fi
echo "went on from step $step, restart $SLURM_RESTART_COUNT"
