/* Each rank says where it is, then all check one sum: what a job of several nodes must be able to do.
 * With an argument R, rank R ends by 3 in the middle; with "wait" all go on until they are ended; with "unfinished" they
 * end without MPI_Finalize. */
#include <ctype.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv) {
    int rank, size, sum = 0, length;
    char host[MPI_MAX_PROCESSOR_NAME];
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    MPI_Get_processor_name(host, &length);
    for (int round = 0; round < 100; round++) {
        int mine = rank + 1;
        MPI_Allreduce(&mine, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
        if (sum != size * (size + 1) / 2) {
            fprintf(stderr, "rank %d: the sum is %d\n", rank, sum);
            MPI_Abort(MPI_COMM_WORLD, 9);
        }
    }
    printf("rank %d of %d on %s: sum %d\n", rank, size, host, sum);
    fflush(stdout);
    if (argc > 1 && strcmp(argv[1], "wait") == 0)
        for (;;) {
            MPI_Barrier(MPI_COMM_WORLD);
            usleep(50000);
        }
    if (argc > 1 && isdigit(argv[1][0]) && atoi(argv[1]) == rank) exit(3);
    MPI_Barrier(MPI_COMM_WORLD);
    if (argc > 1 && strcmp(argv[1], "unfinished") == 0) {
        usleep(300000);
        _exit(0);
    }
    MPI_Finalize();
    return 0;
}
