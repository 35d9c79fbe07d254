package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The test executable is also the programs under test, as processes of their own.
func TestMain(m *testing.M) {
	switch filepath.Base(os.Args[0]) {
	case starterName:
		os.Exit(starterMain())
	case witnessName:
		os.Exit(witnessMain())
	}
	if run := programs[filepath.Base(os.Args[0])]; run != nil { // by a link in a test's own directory
		os.Exit(run())
	}
	if os.Getenv(environMarker) != "" { // a stand-in that executed itself once more
		os.Exit(testStandin())
	}
	switch os.Getenv("SPILL_TEST_PROGRAM") {
	case "":
		os.Exit(m.Run())
	case "chain":
		os.Exit(chain(os.Getenv("CHAIN")))
	case "limits":
		fmt.Println(readLimits()["nofile"])
		os.Exit(0)
	case "die":
		signo, _ := strconv.Atoi(os.Getenv("SIGNO"))
		watchSignals(func(int, string) {})
		os.Exit(dieBy(signo))
	case "writer":
		os.Exit(testWriter())
	case "standin":
		os.Exit(testStandin())
	default:
		os.Exit(dispatch(os.Getenv("SPILL_TEST_PROGRAM")))
	}
}

// testStandin is standinMain with a socket of the test's in the place of root's configuration.
func testStandin() int {
	script, err := os.Open(os.Args[1])
	if err != nil {
		panic(err)
	}
	environ, err := environApart()
	if err != nil {
		panic(err)
	}
	open, err := describe(os.Args[2:], environ)
	if err != nil {
		panic(err)
	}
	socket := environValue(environ, "SPILL_TEST_SOCKET")
	dial := func() (net.Conn, error) { return net.Dial("unix", socket) }
	s := makeStandin(open, &input{channel: chScript, source: script}, &input{channel: chEnv, source: environ}, dial, protocolTiming)
	watchSignals(s.signal)
	return s.serve()
}

// process is a program of this project in a process of its own.
type process struct {
	t    testing.TB
	cmd  *exec.Cmd
	errs *lockedBuffer
	done chan struct{}
}

func startProcess(t testing.TB, program string, env []string, change func(*exec.Cmd), args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command("/proc/self/exe", args...), errs: &lockedBuffer{}, done: make(chan struct{})}
	if bin := os.Getenv("SPILL_TEST_BIN"); bin != "" { // as shipped, without the test's own weight
		p.cmd = exec.Command(filepath.Join(bin, program), args...)
	}
	p.cmd.Env = append([]string{"SPILL_TEST_PROGRAM=" + program, "PATH=/usr/bin:/bin"}, env...)
	p.cmd.Stderr = p.errs
	if os.Getenv("LOUD") != "" {
		p.cmd.Stderr = os.Stderr
	}
	if change != nil {
		change(p.cmd)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		p.cmd.Process.Kill()
		<-p.done
		if t.Failed() {
			t.Logf("%s said: %s", program, p.errs)
		}
	})
	return p
}

func (p *process) wait() *os.ProcessState {
	p.t.Helper()
	select {
	case <-p.done:
		return p.cmd.ProcessState
	case <-time.After(120 * time.Second):
		p.t.Fatalf("%v does not end: %s", p.cmd.Args, p.errs)
		return nil
	}
}

func (p *process) hwm() int { return statusKB(p.t, p.cmd.Process.Pid, "VmHWM") }

func statusKB(t testing.TB, pid int, field string) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, field+":"); ok {
			n, _ := strconv.Atoi(strings.Fields(rest)[0])
			return n
		}
	}
	return 0
}

type lockedBuffer struct {
	mu chan struct{}
	b  bytes.Buffer
}

func (b *lockedBuffer) lock() func() {
	if b.mu == nil {
		b.mu = make(chan struct{}, 1)
	}
	b.mu <- struct{}{}
	return func() { <-b.mu }
}

func (b *lockedBuffer) Write(p []byte) (int, error) { defer b.lock()(); return b.b.Write(p) }
func (b *lockedBuffer) String() string              { defer b.lock()(); return b.b.String() }

// pod is main and keeper beside each other.
type testPod struct {
	main, keeper *process
	address      string
	dir          string
}

func freePort(t testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

func startPod(t testing.TB) *testPod { return startPodWith(t, inPidNamespace) }

func startPodWith(t testing.TB, apart func(*exec.Cmd), more ...string) *testPod {
	t.Helper()
	dir := t.TempDir()
	key := filepath.Join(dir, "key")
	if err := os.WriteFile(key, testKey, 0o600); err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	var csv []string
	for _, g := range podGroups() {
		csv = append(csv, strconv.FormatInt(g, 10))
	}
	env := []string{
		"SPILL_UID=" + strconv.Itoa(os.Getuid()), "SPILL_GID=" + strconv.Itoa(os.Getgid()),
		"SPILL_GROUPS=" + strings.Join(csv, ","), "SPILL_SOCKET=" + dir + "/keeper.sock", "SPILL_DIR=" + dir + "/job",
		"SPILL_SPOOL=" + dir + "/spool", "SPILL_KEY_FILE=" + key, "SPILL_PORT=" + port,
	}
	env = append(env, more...)
	p := &testPod{dir: dir, address: "127.0.0.1:" + port}
	p.keeper = startProcess(t, "spill-keeper", env, nil)
	p.main = startProcess(t, "spill-main", env, apart)
	return p
}

// podGroups are main's in its namespace: without root that is a user namespace too, where foreign groups are nobody's.
func podGroups() []int64 {
	all := []int64{int64(os.Getgid())}
	groups, _ := os.Getgroups()
	for _, g := range groups {
		switch {
		case g == os.Getgid():
		case os.Getuid() == 0:
			all = append(all, int64(g))
		default:
			all = append(all, 65534)
		}
	}
	return all
}

// inPidNamespace makes main process 1 of a namespace of its own, as a container does.
func inPidNamespace(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
	if os.Getuid() != 0 {
		c.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		c.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getuid(), HostID: os.Getuid(), Size: 1}}
		c.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getgid(), HostID: os.Getgid(), Size: 1}}
	}
}

func startLike(open *openBody) *startBody {
	return &startBody{
		Grant: grantBody{Burst: "b1", Attempt: "a1", PodUID: "p1", Epoch: 1, Generation: "g1"},
		Argv:  open.Argv, Cwd: open.Cwd, Umask: open.Umask, Limits: open.Limits, Join: open.Join,
		Env: envChange{Drop: []string{"SPILL_*"}, Set: map[string]string{}}, Groups: podGroups(),
		User:  userBody{UID: int64(os.Getuid()), GID: int64(os.Getgid()), User: "me", Home: "/", Shell: "/bin/sh"},
		NowMs: time.Now().UnixMilli(), KillAfterMs: 5000,
	}
}

// job is a stand-in and where its output goes.
type testJob struct {
	*process
	stdout, stderr string
}

func startJob(t testing.TB, g *fakeGateway, script string, change func(*exec.Cmd), args ...string) *testJob {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "slurm_script")
	if err := os.WriteFile(path, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	j := &testJob{stdout: dir + "/out", stderr: dir + "/err"}
	out, err := os.Create(j.stdout)
	if err != nil {
		t.Fatal(err)
	}
	errs, err := os.Create(j.stderr)
	if err != nil {
		t.Fatal(err)
	}
	j.process = startProcess(t, "standin", []string{"SPILL_TEST_SOCKET=" + g.listener.Addr().String()}, func(c *exec.Cmd) {
		c.Stdout, c.Stderr = out, errs
		if change != nil {
			change(c)
		}
	}, append([]string{path}, args...)...)
	out.Close()
	errs.Close()
	return j
}

func read(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
