package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// A process that an image's /etc/group gave more groups than its user has would read what the user may not.
func TestMainRefusesWhatIsNotExactlyTheUser(t *testing.T) {
	for name, c := range map[string]struct {
		uid, gid int
		groups   []int
		fault    string
	}{
		"exact":               {2001, 2001, []int{3001, 2001}, ""},
		"primary not listed":  {2001, 2001, []int{3001}, ""},
		"listed twice":        {2001, 2001, []int{2001, 3001, 3001}, ""},
		"surplus":             {2001, 2001, []int{2001, 3001, 27}, "has the groups [27 2001 3001] instead of [2001 3001]"},
		"one is missing":      {2001, 2001, []int{2001}, "has the groups [2001] instead of [2001 3001]"},
		"another user":        {2002, 2001, []int{2001, 3001}, "runs as uid 2002 and gid 2001 instead of 2001 and 2001"},
		"another primary gid": {2001, 0, []int{2001, 3001}, "runs as uid 2001 and gid 0 instead of 2001 and 2001"},
	} {
		t.Run(name, func(t *testing.T) {
			p := &pod{config: podConfig{uid: 2001, gid: 2001, groups: []int{2001, 3001}, getIDs: func() (int, int, []int, error) {
				return c.uid, c.gid, c.groups, nil
			}}}
			if got := p.fault(); got != c.fault {
				t.Fatalf("%q instead of %q", got, c.fault)
			}
		})
	}
}

func TestARefusedMainTellsTheKeeperAndEnds(t *testing.T) {
	b := startKeeper(t, nil)
	p, err := podFromEnv(func(name string) string {
		return map[string]string{
			"SPILL_UID": strconv.Itoa(os.Getuid()), "SPILL_GID": strconv.Itoa(os.Getgid()), "SPILL_GROUPS": "1,2,3",
			"SPILL_SOCKET": b.config.socket, "SPILL_DIR": t.TempDir() + "/job",
		}[name]
	})
	if err != nil {
		t.Fatal(err)
	}
	p.config.getIDs = func() (int, int, []int, error) { return p.config.uid, p.config.gid, []int{1, 2, 3, 4}, nil }
	if code := p.serve(); code != 1 {
		t.Fatal(code)
	}
	await(t, "the keeper to know", func() bool { b.mu.Lock(); defer b.mu.Unlock(); return b.main == "refused" })
	if _, ready := b.gateway(1); !strings.Contains(ready.Fault, "has the groups") {
		t.Fatalf("%+v", ready)
	}
}

// podRun has a job run through a real main and keeper, and gives its ends.
func podRun(t *testing.T, script string, start func(*startBody), args ...string) (stdout, stderr string, exit *exitBody) {
	t.Helper()
	pod := startPod(t)
	g := newFakeGateway(t, pod.address, func(o *openBody) *startBody {
		s := startLike(o)
		if start != nil {
			start(s)
		}
		return s
	})
	job := startJob(t, g, script, nil, args...)
	job.wait()
	pod.keeper.wait()
	ended := g.ended()
	return read(t, job.stdout), read(t, job.stderr), &ended
}

func TestTheScriptHasWhatItHadOnTheCluster(t *testing.T) {
	dir := t.TempDir()
	stdout, stderr, exit := podRun(t, `#!/bin/sh
echo "args $# [$1] [$2]"
pwd
umask
ulimit -n; ulimit -Hn; ulimit -c
echo "KEPT=$KEPT DROPPED=$DROPPED SET=$SET CHANGED=$CHANGED SPILL_UID=$SPILL_UID"
cut -d' ' -f4,6 /proc/self/stat
readlink /proc/self/fd/0
ls /proc/self/fd | tr '\n' ' '; echo
echo direct >/dev/stdout
`, func(s *startBody) {
		s.Cwd = bytes64(dir)
		s.Umask = 0o027
		s.Limits = rlimits{"nofile": {100, 200}, "core": {0, -1}, "nonsense": {1, 1}}
		s.Env = envChange{Drop: []string{"DROP*", "SPILL_*"}, Set: map[string]string{"SET": "yes", "CHANGED": "new"}}
	}, "a b", "")
	lines := strings.Split(stdout, "\n")
	want := []string{"args 2 [a b] []", dir, "0027", "100", "200", "0", "KEPT= DROPPED= SET=yes CHANGED=new SPILL_UID="}
	if len(lines) < 11 || !slices.Equal(lines[:7], want) {
		t.Fatalf("%q", lines)
	}
	if parent, session, _ := strings.Cut(lines[7], " "); parent != session {
		t.Errorf("the script leads no session of its own: %s", lines[7])
	}
	if lines[8] != os.DevNull {
		t.Errorf("stdin is %s", lines[8])
	}
	if lines[9] != "0 1 2 3 " { // 3 is the directory that ls reads
		t.Errorf("descriptors %q", lines[9])
	}
	if lines[10] != "direct" {
		t.Errorf("/dev/stdout: %q", lines[10])
	}
	if stderr != "" || *exit.Code != 0 || exit.Rusage == nil || exit.Rusage.MaxRSSBytes < 1<<20 {
		t.Errorf("%q %+v", stderr, exit)
	}
}

func TestWhatSlurmSaysIsSaid(t *testing.T) {
	for name, c := range map[string]struct {
		script, stderr string
		code           int
		change         func(*startBody)
	}{
		"no directory": {
			"#!/bin/sh\npwd >&2\n", "slurmstepd: error: couldn't chdir to `/no/such': No such file or directory: going to /tmp instead\n/tmp\n", 0,
			func(s *startBody) { s.Cwd = bytes64("/no/such") },
		},
		"no interpreter": {"#!/no/such -x\n", "slurmstepd: error: execve(): bad interpreter(/no/such -x): No such file or directory\n", 2, nil},
		"not executable": {"#!/etc/passwd\n", "slurmstepd: error: execve(): SCRIPT: Permission denied\n", 13, nil},
		"no format":      {"echo hi\n", "slurmstepd: error: execve(): SCRIPT: Exec format error\n", 8, nil},
		"empty":          {"", "slurmstepd: error: execve(): SCRIPT: Exec format error\n", 8, nil},
	} {
		t.Run(name, func(t *testing.T) {
			_, stderr, exit := podRun(t, c.script, c.change)
			if i := strings.Index(stderr, "/tmp/"); i >= 0 && strings.Contains(stderr, "slurm_script") {
				end := strings.Index(stderr, "slurm_script") + len("slurm_script")
				stderr = stderr[:i] + "SCRIPT" + stderr[end:]
			}
			if stderr != c.stderr || exit.Code == nil || *exit.Code != c.code {
				t.Fatalf("%q instead of %q; %+v", stderr, c.stderr, exit)
			}
		})
	}
}

// Pods do not restart containers; should one, the script must not run a second time.
func TestAScriptThatCannotBeWrittenIsNotRunAndTheOwnerIsTold(t *testing.T) {
	pod := startPod(t)
	if err := os.Mkdir(pod.dir+"/job", 0o700); err != nil {
		t.Fatal(err)
	}
	g := newFakeGateway(t, pod.address, startLike)
	job := startJob(t, g, "#!/bin/sh\necho ran\n", nil)
	if code := job.wait().ExitCode(); code != 1 || !strings.Contains(read(t, job.stderr), "file exists") || read(t, job.stdout) != "" {
		t.Errorf("ended by %d; %q", code, read(t, job.stderr))
	}
	if exit := g.ended(); !strings.Contains(exit.Reason, "was not started") {
		t.Errorf("%+v", exit)
	}
}

func TestStartForAnotherThanThePodIsMadeForRunsNothing(t *testing.T) {
	stdout, stderr, exit := podRun(t, "#!/bin/sh\necho ran\n", func(s *startBody) { s.Groups = append(s.Groups, 4711) })
	if stdout != "" || !strings.Contains(stderr, "4711") || *exit.Code != 1 {
		t.Errorf("%q %q %+v", stdout, stderr, exit)
	}
}

func TestTheJobCannotEndProcessOneByASignal(t *testing.T) {
	stdout, _, exit := podRun(t, "#!/bin/sh\nfor s in QUIT ABRT SEGV USR1 ALRM PIPE KILL; do kill -$s 1; done\nsleep 0.2; echo alive\n", nil)
	if stdout != "alive\n" || exit.Code == nil || *exit.Code != 0 {
		t.Errorf("%q %+v", stdout, exit)
	}
}

func TestAScriptKilledByASignalIsReportedSo(t *testing.T) {
	_, _, exit := podRun(t, "#!/bin/sh\nkill -SEGV $$\n", nil)
	if exit.Signal == nil || *exit.Signal != 11 {
		t.Fatalf("%+v", exit)
	}
}

func TestWhatTheScriptLeftBehindDiesWithIt(t *testing.T) {
	stdout, _, exit := podRun(t, "#!/bin/sh\n(sleep 1000; echo late) &\nsetsid sleep 1000 &\necho done\n", nil)
	if stdout != "done\n" || *exit.Code != 0 {
		t.Fatalf("%q %+v", stdout, exit)
	}
}

func TestWhatReadsTheScriptsOutputIsGivenTheTimeToWriteIt(t *testing.T) {
	log := t.TempDir() + "/log"
	script := "#!/bin/bash\nexec > >(sleep 0.1; tee " + log + ")\necho all of it\nexit 3\n"
	stdout, _, exit := podRun(t, script, nil)
	if stdout != "all of it\n" || read(t, log) != stdout || *exit.Code != 3 {
		t.Fatalf("%q %q %+v", stdout, read(t, log), exit)
	}
}

func TestOrphansAreReapedAndCountInTheUsage(t *testing.T) {
	pod := startPod(t)
	g := newFakeGateway(t, pod.address, startLike)
	goOn := t.TempDir() + "/go-on"
	job := startJob(t, g, `#!/bin/sh
for i in 1 2 3 4 5; do (sh -c 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done' & exit 0); done
echo orphaned
while [ ! -e `+goOn+` ]; do sleep 0.02; done
`, nil)
	await(t, "orphans", func() bool { return read(t, job.stdout) == "orphaned\n" })
	// What is left is the script alone, and no zombie.
	await(t, "them to be reaped", func() bool { return len(childrenOf(pod.main.cmd.Process.Pid)) == 1 })
	if err := os.WriteFile(goOn, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	job.wait()
	if usage := g.ended().Rusage; usage.UserMs+usage.SystemMs < 20 {
		t.Errorf("%+v", usage)
	}
}

func childrenOf(parent int) (children []int) {
	entries, _ := os.ReadDir("/proc")
	for _, entry := range entries {
		if pid, err := strconv.Atoi(entry.Name()); err == nil {
			if p, _, err := realProc.parentAndStart(pid); err == nil && p == parent {
				children = append(children, pid)
			}
		}
	}
	return children
}

// Signals travel from the process that Slurm knows to those in the pod.
func TestSignalsReachTheScriptAloneOrEverything(t *testing.T) {
	const script = `#!/bin/sh
trap 'echo script got USR1' USR1
trap 'echo script got CONT' CONT
trap 'echo script got TERM; wait; exit 9' TERM
sh -c 'trap "echo child got TERM; exit" TERM; trap "echo child got USR1" USR1; echo child ready; while :; do sleep 0.05; done' &
echo ready
while :; do wait; done
`
	pod := startPod(t)
	g := newFakeGateway(t, pod.address, startLike)
	job := startJob(t, g, script, nil)
	said := func(text string) func() bool {
		return func() bool { return strings.Contains(read(t, job.stdout), text) }
	}
	await(t, "the script to be ready", func() bool { return said("child ready")() && said("ready\n")() })
	job.cmd.Process.Signal(syscall.SIGUSR1)
	await(t, "USR1", said("script got USR1"))
	// Slurm leaves some milliseconds between the two; of two that are pending at once the kernel gives TERM first.
	job.cmd.Process.Signal(syscall.SIGCONT)
	await(t, "CONT", said("script got CONT"))
	job.cmd.Process.Signal(syscall.SIGTERM)
	if code := job.wait().ExitCode(); code != 9 {
		t.Errorf("ended by %d", code)
	}
	out := read(t, job.stdout)
	if !strings.Contains(out, "child got TERM") || strings.Contains(out, "child got USR1") {
		t.Errorf("%s", out)
	}
}

func TestEverySignalThatCanBePassedOnIs(t *testing.T) {
	const passed = "HUP INT QUIT ILL TRAP ABRT BUS FPE USR1 SEGV USR2 ALRM TERM CONT TSTP TTIN TTOU XFSZ VTALRM WINCH IO PWR SYS"
	pod := startPod(t)
	g := newFakeGateway(t, pod.address, startLike)
	script := "#!/bin/bash\nfor s in " + passed + " RTMIN+1 RTMAX; do trap \"echo got $s\" $s; done\ntrap 'exit 0' XCPU\necho ready\nwhile :; do sleep 0.02; done\n"
	job := startJob(t, g, script, nil)
	await(t, "the script to be ready", func() bool { return read(t, job.stdout) == "ready\n" })
	for _, name := range append(strings.Fields(passed), "RTMIN+1", "RTMAX") {
		if out, err := exec.Command("bash", "-c", fmt.Sprintf("kill -%s %d", name, job.cmd.Process.Pid)).CombinedOutput(); err != nil {
			t.Fatalf("%s: %s", name, out)
		}
		await(t, name, func() bool { return strings.Contains(read(t, job.stdout), "got "+name+"\n") })
	}
	if s := read(t, job.stderr); s != "" {
		t.Errorf("%q", s)
	}
}

func TestAnUntrappedTermEndsTheStandinByTerm(t *testing.T) {
	pod := startPod(t)
	g := newFakeGateway(t, pod.address, startLike)
	job := startJob(t, g, "#!/bin/sh\necho ready\nexec sleep 1000\n", nil)
	await(t, "the script to be ready", func() bool { return read(t, job.stdout) == "ready\n" })
	job.cmd.Process.Signal(syscall.SIGTERM)
	if status := job.wait().Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != syscall.SIGTERM {
		t.Fatalf("%v", status)
	}
}

// The kubelet's TERM at a pod's deletion is passed on to everything.
func TestMainPassesTheKubeletsTermOn(t *testing.T) {
	pod := startPod(t)
	g := newFakeGateway(t, pod.address, startLike)
	job := startJob(t, g, "#!/bin/sh\ntrap 'echo got TERM; exit 3' TERM\necho ready\nwhile :; do sleep 0.05; done\n", nil)
	await(t, "the script to be ready", func() bool { return read(t, job.stdout) == "ready\n" })
	pod.keeper.cmd.Process.Signal(syscall.SIGTERM)
	pod.main.cmd.Process.Signal(syscall.SIGTERM)
	if code := job.wait().ExitCode(); code != 3 {
		t.Fatal(code)
	}
	if out := read(t, job.stdout); out != "ready\ngot TERM\n" {
		t.Fatalf("%q", out)
	}
	if code := pod.keeper.wait().ExitCode(); code != 0 {
		t.Fatal(code)
	}
}

func TestToldToGoBeforeTheStartMainGoes(t *testing.T) {
	pod := startPod(t)
	g := newFakeGateway(t, pod.address, startLike)
	g.until("main to be ready", func() bool { return g.ready != nil && g.ready.Main == "ready" })
	pod.main.cmd.Process.Signal(syscall.SIGTERM)
	pod.main.wait()
	g.until("main to be gone", func() bool { return g.ready.Main == "refused" })
}

func TestMainWaitsForAKeeperThatIsLate(t *testing.T) {
	dir := t.TempDir()
	gid := strconv.Itoa(os.Getgid())
	groups, _ := os.Getgroups()
	csv := gid
	for _, g := range groups {
		csv += "," + strconv.Itoa(g)
	}
	main := startProcess(t, "spill-main", []string{
		"SPILL_UID=" + strconv.Itoa(os.Getuid()), "SPILL_GID=" + gid, "SPILL_GROUPS=" + csv,
		"SPILL_SOCKET=" + dir + "/late.sock", "SPILL_DIR=" + dir + "/job",
	}, nil)
	await(t, "main to live", func() bool { return statusKB(t, main.cmd.Process.Pid, "VmHWM") > 0 })
	listener, err := net.Listen("unix", dir+"/late.sock")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	conn, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	l := newInnerLink(conn, nothing)
	l.run()
	expect[*innerMain](t, l)
	l.close(nil)
	main.wait()
}

// A Go program needs 850,000 kB of address space to start every time: its heap begins at random, and now and then
// takes an arena more. The job gets the limit either way.
func TestALimitOfAddressSpaceIsTheJobsAndTheStandinLivesWithIt(t *testing.T) {
	if info, ok := debug.ReadBuildInfo(); !ok || !slices.Contains(info.Settings, debug.BuildSetting{Key: "CGO_ENABLED", Value: "0"}) {
		t.Skip("with cgo, threads take far more; run with CGO_ENABLED=0, as spill is built")
	}
	pod := startPod(t)
	g := newFakeGateway(t, pod.address, startLike)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	job := startJob(t, g, "#!/bin/sh\nulimit -v\nhead -c 20000000 /dev/zero\n", func(c *exec.Cmd) {
		c.Path = "/bin/sh"
		c.Args = append([]string{"sh", "-c", `ulimit -v 1000000; exec "$0" "$@"`, exe}, c.Args[1:]...)
	})
	if state := job.wait(); state.ExitCode() != 0 {
		t.Fatalf("%v: %s", state, read(t, job.stderr))
	}
	if out := read(t, job.stdout); !strings.HasPrefix(out, "1000000\n") || len(out) != 20000008 {
		t.Fatalf("%d bytes, %q", len(out), out[:min(len(out), 20)])
	}
}

func TestPatternsOfVariables(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"A", "A", true}, {"A", "AB", false}, {"A*", "A", true}, {"A*", "ABC", true}, {"*C", "ABC", true}, {"*", "", true},
		{"A?C", "ABC", true}, {"A?C", "AC", false}, {"A*C*E", "ABCDE", true}, {"A*C*E", "ABDE", false}, {"", "", true}, {"a", "A", false},
	} {
		if got := matches(c.pattern, c.name); got != c.want {
			t.Errorf("%s on %s: %v", c.pattern, c.name, got)
		}
	}
}

// A limit that the job's user had must not be the one that Go made of it, on either side.
func TestLimitsAreThoseFromBeforeGoRaisedThem(t *testing.T) {
	c := exec.Command("/bin/sh", "-c", "ulimit -S -n 77; exec /proc/"+strconv.Itoa(os.Getpid())+"/exe")
	c.Env = []string{"SPILL_TEST_PROGRAM=limits"}
	out, err := c.CombinedOutput()
	var hard syscall.Rlimit
	syscall.Getrlimit(syscall.RLIMIT_NOFILE, &hard)
	if want := fmt.Sprintf("[77 %d]\n", hard.Max); err != nil || string(out) != want {
		t.Fatalf("%q instead of %q, %v", out, want, err)
	}
}
