import { slurmContract } from './slurm.contract.ts';
import { labSlurm } from './slurm.lab.ts';

slurmContract('the lab’s Slurm over SSH', labSlurm);
