package main

import (
	"fmt"
	"os/exec"
	"regexp"
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

// oneMachine: the pods are one, and UCX sees that in spite of their namespaces; of its interfaces only this one is sure to stay.
// They have one /tmp and the same process ids, by which Open MPI 5 names what it keeps there.
func oneMachine(team *testTeam) {
	team.env["TMPDIR"] = team.scratch
	team.env["UCX_TLS"], team.env["UCX_NET_DEVICES"] = "tcp,self", "lo"
}

// MPICH before 4.2 on UCX waits for ever in MPI_Finalize now and then, under any launcher (decision 0024): a rank that has
// taken leave of the others sits in a PMI barrier where it no longer answers one that has not. So Debian's leaves that out.
func TestMPICHStartsUnderSrun(t *testing.T) {
	program := compileMPI(t, "mpicc.mpich")
	team := startTeam(t, 3, 2)
	oneMachine(team)
	out, errs, code := team.run("srun -n 6 " + program + " unfinished\n")
	checkSums(t, out, errs, code)
}

func TestMPICHStartsUnderItsOwnLauncher(t *testing.T) {
	program := compileMPI(t, "mpicc.mpich")
	team := startTeam(t, 3, 2)
	oneMachine(team)
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
	out, errs, code := team.run("srun -n 6 " + program + " && echo labels && srun -l -n 6 " + program + "\n")
	plain, labelled, _ := strings.Cut(out, "labels\n")
	checkSums(t, plain, errs, code)
	checkLabels(t, labelled, errs, code)
}

// checkLabels: what mpirun writes before each line becomes srun's label, and srun ends.
func checkLabels(t *testing.T, out, errs string, code int) {
	t.Helper()
	for rank := range 6 {
		label := fmt.Sprintf("%d: rank %d ", rank, rank)
		if !strings.HasPrefix(out, label) && !strings.Contains(out, "\n"+label) {
			t.Fatalf("no %q: %s\n%s", label, out, errs)
		}
	}
	checkSums(t, regexp.MustCompile(`(?m)^\d: `).ReplaceAllString(out, ""), errs, code)
}
