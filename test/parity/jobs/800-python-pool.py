#!/usr/bin/env python3
#SBATCH -c 4
import multiprocessing
if __name__ == "__main__":
    with multiprocessing.Pool(4) as pool: print(sum(pool.map(abs, range(-1000, 1000))))
