package main

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
)

// compileMPI compiles the lab's program with the compiler of one MPI, where this machine has it.
func compileMPI(t *testing.T, compiler string) string {
	t.Helper()
	if _, err := exec.LookPath(compiler); err != nil {
		t.Skipf("no %s on this machine (Debian: openmpi-bin libopenmpi-dev, mpich libmpich-dev)", compiler)
	}
	program := t.TempDir() + "/allreduce"
	if out, err := exec.Command(compiler, "-O1", "-o", program, "../lab/images/allreduce.c").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return program
}

// sums is what the program says: a line a rank.
func sums(hosts []string, perHost int) string {
	var lines []string
	size := len(hosts) * perHost
	for rank := range size {
		lines = append(lines, fmt.Sprintf("rank %d of %d on %s: sum %d", rank, size, hosts[rank/perHost], size*(size+1)/2))
	}
	return strings.Join(lines, "\n")
}

func checkSums(t *testing.T, out, errs string, code int) {
	t.Helper()
	if got, want := sortedLines(out), sortedLines(sums([]string{"n1", "n2", "n3"}, 2)); got != want || code != 0 {
		t.Fatalf("%d: %s\n--- instead of\n%s\n%s", code, got, want, errs)
	}
}

// Debian's MPICH 4.0.2 with UCX over TCP now and then waits for ever in MPI_Finalize, under any launcher (rank 0 in
// ucp_worker_progress, the others in the barrier before it ends), so its tests leave that out.
func TestMPICHStartsUnderSrun(t *testing.T) {
	program := compileMPI(t, "mpicc.mpich")
	team := startTeam(t, 3, 2)
	// The pods are one machine, and UCX sees that in spite of their namespaces; of its interfaces only this one is sure to stay.
	team.env["UCX_TLS"], team.env["UCX_NET_DEVICES"] = "tcp,self", "lo"
	out, errs, code := team.run("srun -n 6 " + program + " unfinished\n")
	checkSums(t, out, errs, code)
}

func TestMPICHStartsUnderItsOwnLauncher(t *testing.T) {
	program := compileMPI(t, "mpicc.mpich")
	team := startTeam(t, 3, 2)
	// The pods are one machine, and UCX sees that in spite of their namespaces; of its interfaces only this one is sure to stay.
	team.env["UCX_TLS"], team.env["UCX_NET_DEVICES"] = "tcp,self", "lo"
	out, errs, code := team.run("mpiexec.hydra -n 6 " + program + " unfinished\n")
	checkSums(t, out, errs, code)
}

func TestOpenMPIStartsUnderItsOwnLauncher(t *testing.T) {
	program := compileMPI(t, "mpicc.openmpi")
	team := startTeam(t, 3, 2)
	team.env["OMPI_ALLOW_RUN_AS_ROOT"], team.env["OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"] = "1", "1"
	out, errs, code := team.run("mpirun.openmpi " + program + "\n")
	checkSums(t, out, errs, code)
}

func TestOpenMPIStartsUnderSrun(t *testing.T) {
	program := compileMPI(t, "mpicc.openmpi")
	team := startTeam(t, 3, 2)
	team.env["OMPI_ALLOW_RUN_AS_ROOT"], team.env["OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"] = "1", "1"
	out, errs, code := team.run("srun -n 6 " + program + "\n")
	checkSums(t, out, errs, code)
}
