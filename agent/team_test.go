package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// testTeam is the pods of one job, each main in namespaces of its own as in a container, at 127.0.0.2 and on.
type testTeam struct {
	t     testing.TB
	pods  []*testPod
	hosts []hostBody
	port  int
	bin   string
	links []*link // gateway's, to the keepers of ranks 1 and on
	gate  *fakeGateway
	cpus  int
	env   map[string]string
	warn  *warnBody
	// scratch is a directory that is another in each pod, as /tmp is in real ones.
	scratch string
}

// linkPrograms makes what `spill install` makes, of the test's own executable.
func linkPrograms(t testing.TB) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	for name := range programs {
		if err := os.Symlink(exe, filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	return bin
}

// asHost gives a main its own processes, its own /proc, a host name, the job's hosts file, and what is in `scratch` for itself.
func asHost(name, hosts, scratch string) func(*exec.Cmd) {
	return func(c *exec.Cmd) {
		exe, err := os.Executable()
		if err != nil {
			panic(err)
		}
		c.Path = "/bin/sh"
		c.Args = []string{"sh", "-c", `mount --make-rprivate / && mount -t proc proc /proc && mount --bind "$2" /etc/hosts && mount -t tmpfs scratch "$3" && hostname "$1" && exec "$0"`, exe, name, hosts, scratch}
		c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWUTS}
	}
}

func needsRoot(t testing.TB) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("several pods on one machine need namespaces, and those root")
	}
}

func freeTeamPort(t testing.TB) int {
	port, err := strconv.Atoi(freePort(t))
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func startTeam(t testing.TB, n, cpus int) *testTeam {
	t.Helper()
	needsRoot(t)
	team := &testTeam{t: t, bin: linkPrograms(t), port: freeTeamPort(t), cpus: cpus, env: map[string]string{}, scratch: t.TempDir()}
	for rank := range n {
		team.hosts = append(team.hosts, hostBody{fmt.Sprintf("n%d", rank+1), fmt.Sprintf("127.0.0.%d", rank+2)})
	}
	file := filepath.Join(t.TempDir(), "hosts")
	if err := os.WriteFile(file, hostsFile(team.hosts), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, host := range team.hosts {
		team.pods = append(team.pods, startPodWith(t, asHost(host.Name, file, team.scratch), "SPILL_BIN="+team.bin))
	}
	for rank := 1; rank < n; rank++ {
		team.links = append(team.links, team.startHelper(rank))
	}
	team.gate = newFakeGateway(t, team.pods[0].address, func(o *openBody) *startBody { return team.start(o, 0) })
	return team
}

func (m *testTeam) start(o *openBody, rank int) *startBody {
	s := startLike(o)
	s.Team = &teamBody{Rank: int64(rank), Hosts: m.hosts, Port: int64(m.port)}
	var names []string
	for _, h := range m.hosts {
		names = append(names, h.Name)
	}
	for name, value := range map[string]string{
		"SLURM_JOB_ID": "77", "SLURM_JOB_NUM_NODES": strconv.Itoa(len(m.hosts)), "SLURM_JOB_NODELIST": compressHosts(names),
		"SLURM_NODELIST": compressHosts(names), "SLURM_JOB_CPUS_PER_NODE": fmt.Sprintf("%d(x%d)", m.cpus, len(m.hosts)),
		"SLURM_JOBID": "77", "SLURM_NNODES": strconv.Itoa(len(m.hosts)), "SLURM_TASKS_PER_NODE": fmt.Sprintf("%d(x%d)", m.cpus, len(m.hosts)),
	} {
		s.Env.Set[name] = value
	}
	for name, value := range m.env {
		s.Env.Set[name] = value
	}
	if rank == 0 {
		s.Warn = m.warn
	}
	return s
}

// startHelper is the gateway's part for a rank above 0.
func (m *testTeam) startHelper(rank int) *link {
	m.t.Helper()
	var l *link
	await(m.t, "the keeper", func() bool {
		conn, err := net.Dial("tcp", m.pods[rank].address)
		if err != nil {
			return false
		}
		l = newLink(conn, protocolTiming, nothing)
		l.run()
		return true
	})
	epoch := int64(1)
	hello := helloBody{V: []int{1}, Role: "gateway", Nonce: newNonce(), Epoch: &epoch}
	l.send(tHello, hello)
	if err := authenticateAsGateway(l, testKey, hello.Nonce); err != nil {
		m.t.Fatal(err)
	}
	for started := false; !started; {
		_, body, err := l.read()
		if err != nil {
			m.t.Fatalf("rank %d: %v", rank, err)
		}
		switch b := body.(type) {
		case *readyBody:
			if b.Main == "ready" && b.Started == nil {
				l.send(tStart, m.start(&openBody{Argv: []bytes64{}, Cwd: bytes64("/"), Umask: 0o022, Limits: rlimits{}}, rank))
			}
		case *startedBody:
			started = b.PID == 1
		case *errorBody:
			m.t.Fatalf("rank %d: %+v", rank, b)
		}
	}
	m.t.Cleanup(func() { l.close(nil) })
	return l
}

// run has rank 0 run a script.
func (m *testTeam) run(script string) (stdout, stderr string, code int) {
	m.t.Helper()
	job := startJob(m.t, m.gate, "#!/bin/bash\n"+script, nil)
	code = job.wait().ExitCode()
	return read(m.t, job.stdout), read(m.t, job.stderr), code
}

func sortedLines(text string) string {
	return strings.Join(sortHosts(strings.Split(strings.TrimSpace(text), "\n")), "\n")
}

func TestAStepRunsOnEveryNodeOfTheJob(t *testing.T) {
	team := startTeam(t, 3, 2)
	out, errs, code := team.run(`srun -l sh -c 'echo $(hostname) $SLURM_PROCID $SLURM_LOCALID $SLURM_NODEID $SLURM_STEP_ID $SLURMD_NODENAME'
srun -n 6 sh -c 'echo r$SLURM_PROCID $(hostname) $SLURM_NTASKS $SLURM_STEP_TASKS_PER_NODE $SLURM_GTIDS $SLURM_STEP_ID'
`)
	if code != 0 || errs != "" {
		t.Fatalf("%d %q %q", code, errs, out)
	}
	want := `0: n1 0 0 0 0 n1
1: n2 1 0 1 0 n2
2: n3 2 0 2 0 n3
r0 n1 6 2(x3) 0,1 1
r1 n1 6 2(x3) 0,1 1
r2 n2 6 2(x3) 2,3 1
r3 n2 6 2(x3) 2,3 1
r4 n3 6 2(x3) 4,5 1
r5 n3 6 2(x3) 4,5 1`
	if got := sortedLines(out); got != want {
		t.Fatalf("%s\n--- instead of\n%s", got, want)
	}
}

// `scancel --full --signal`: script, what it started, and every task on every node. `--batch`: the script.
func TestASignalForAllReachesEveryRank(t *testing.T) {
	team := startTeam(t, 3, 2)
	job := startJob(t, team.gate, `#!/bin/bash
trap 'echo script' USR1
trap 'echo over; kill $(jobs -p); exit 0' USR2
bash -c 'trap "echo child" USR1; echo up; while :; do sleep 0.1; done' &
srun -n 6 bash -c 'trap "echo task $SLURM_PROCID on $(hostname)" USR1; echo up; while :; do sleep 0.1; done' &
while :; do sleep 0.1; done
`, nil)
	lines := func() string { return sortedLines(strings.ReplaceAll(read(t, job.stdout), "up\n", "")) }
	await(t, "all to be up", func() bool { return strings.Count(read(t, job.stdout), "up\n") == 7 })
	pid := job.cmd.Process.Pid
	var witness []int
	await(t, "the witness", func() bool { witness = descendants(pid); return len(witness) == 1 })
	syscall.Kill(pid, syscall.SIGUSR1)
	await(t, "the script alone to hear it", func() bool { return lines() == "script" })
	for _, p := range append(witness, pid) {
		syscall.Kill(p, syscall.SIGUSR1)
	}
	want := sortedLines("script\nscript\nchild\ntask 0 on n1\ntask 1 on n1\ntask 2 on n2\ntask 3 on n2\ntask 4 on n3\ntask 5 on n3")
	await(t, "all to hear it", func() bool { // those beside the script twice: themselves, and by srun, as on a node of Slurm's
		unique := slices.Compact(strings.Split(lines(), "\n"))
		return strings.Join(unique, "\n") == strings.Join(slices.Compact(strings.Split(want, "\n")), "\n")
	})
	if n := strings.Count(read(t, job.stdout), "script\n"); n != 2 {
		t.Errorf("the script heard it %d times", n)
	}
	syscall.Kill(pid, syscall.SIGUSR2)
	if code := job.wait().ExitCode(); code != 0 || !strings.Contains(read(t, job.stdout), "over") {
		t.Errorf("%d: %s", code, read(t, job.stderr))
	}
	await(t, "the witness to end", func() bool { return gone(witness[0]) })
}

// `#SBATCH --signal=USR1@60`, without B: every step hears it on every node, the script and what else it started do not.
func TestAWarningReachesTheStepsAndNothingElse(t *testing.T) {
	team := startTeam(t, 2, 2)
	team.warn = &warnBody{Signo: int(syscall.SIGUSR1), AtMs: time.Now().UnixMilli() + 4_000}
	out, errs, code := team.run(`trap 'echo script' USR1
bash -c 'trap "echo child" USR1; for i in $(seq 60); do sleep 0.1; done' &
for step in a b; do
	srun --overlap -n 2 bash -c 'trap "echo step '$step' task $SLURM_PROCID; exit 0" USR1; while :; do sleep 0.1; done' &
done
wait
`)
	want := "step a task 0\nstep a task 1\nstep b task 0\nstep b task 1"
	if sortedLines(out) != want || code != 0 {
		t.Fatalf("%d: %s\n%s", code, out, errs)
	}
}
