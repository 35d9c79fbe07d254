#!/usr/bin/env python3
#SBATCH -c 2
# What a child of multiprocessing that dies leaves, a pool that breaks by it, shared memory, and an exit code above 255.
import concurrent.futures, multiprocessing, os, sys
from multiprocessing import shared_memory
def dies(): os.kill(os.getpid(), 9)
def square(x): return x * x
if __name__ == "__main__":
    multiprocessing.set_start_method("fork")
    child = multiprocessing.Process(target=dies); child.start(); child.join(); print("exitcode", child.exitcode)
    with concurrent.futures.ProcessPoolExecutor(2) as pool:
        print(list(pool.map(square, range(5))))
        try: pool.submit(dies).result()
        except Exception as e: print(type(e).__name__)
    memory = shared_memory.SharedMemory(create=True, size=1 << 20)
    memory.buf[0] = 7; print(memory.buf[0]); memory.close(); memory.unlink()
    sys.exit(300)
