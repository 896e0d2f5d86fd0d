#!/usr/bin/env bash
# Training on several machines under Slurm, that goes on by itself after preemption and time limits.
#     sbatch configs/slurm_train.sh my.yaml runs/mine    # optimiser.batch: 8, or a multiple of it
# The batch of the configuration is that of all GPUs together: it has to be a multiple of their number.
#SBATCH --job-name=medsym
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=4
#SBATCH --cpus-per-task=32
#SBATCH --time=12:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=TERM@180
set -euo pipefail
config="$1" out="$2"

# One torchrun per machine; they meet at the first machine of the job.
mapfile -t machines < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
resume=()
if [ -e "$out/checkpoint.pt" ] || [ -e "$out/checkpoint.previous.pt" ]; then
    resume=(--resume)
fi
began="$(mktemp)"
trap 'rm -f "$began"' EXIT

# SIGTERM reaches the processes 180 s before the end of the job, or when it is preempted: the run
# takes its step, writes a checkpoint and ends.
srun torchrun --nnodes="$SLURM_JOB_NUM_NODES" --nproc-per-node="${SLURM_GPUS_ON_NODE:-1}" \
    --rdzv-id="$SLURM_JOB_ID" --rdzv-backend=c10d --rdzv-endpoint="${machines[0]}:29500" \
    -m medsym train "$config" --out "$out" "${resume[@]}" || echo "torchrun ended with code $?"

# Not finished, and it got further: again. A run that cannot start is not started for ever.
if [ ! -e "$out/model/reference.safetensors" ] && [ "$out/checkpoint.pt" -nt "$began" ]; then
    scontrol requeue "$SLURM_JOB_ID"
fi
