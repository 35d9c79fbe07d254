package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// podMain is spill-main: process 1 of the container that the user's image makes. It looks at who it is, waits for
// the keeper's START, runs the script with pipes whose other ends the keeper holds, passes signals on, reaps, and
// tells how the script ended. What the script left behind dies with it, as under slurmstepd.
func podMain() int {
	runtime.GOMAXPROCS(2)
	p, err := podFromEnv(os.Getenv)
	if err != nil {
		logLine("main: %v", err)
		return 1
	}
	// The job has our uid: it must not look into this process, which speaks for it.
	syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_DUMPABLE, 0, 0)
	watchForTheEnd(p.terminate)
	return p.serve()
}

// watchForTheEnd passes the kubelet's TERM on. The job may signal us too, and what Go's runtime would end by, with
// its stacks, is caught and means nothing. (Caught, not ignored: that the script would inherit.)
func watchForTheEnd(terminate func(signo int)) {
	arrived := make(chan os.Signal, 64)
	signal.Notify(arrived, append(caught(), syscall.SIGPIPE, syscall.SIGXCPU)...)
	go func() {
		for s := range arrived {
			switch s {
			case syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP:
				terminate(int(s.(syscall.Signal)))
			}
		}
	}()
}

type podConfig struct {
	socket string
	dir    string
	uid    int
	gid    int
	groups []int
	getIDs func() (uid, gid int, groups []int, err error)
	signal func(scope string, script, signo int)
}

func podFromEnv(env func(string) string) (*pod, error) {
	config := podConfig{
		socket: env("SPILL_SOCKET"), dir: env("SPILL_DIR"),
		getIDs: ownIDs, signal: signalProcesses,
	}
	if config.socket == "" {
		config.socket = defaultKeeperSocket
	}
	if config.dir == "" {
		config.dir = "/spill/run/job"
	}
	var err error
	if config.uid, err = strconv.Atoi(env("SPILL_UID")); err != nil {
		return nil, fmt.Errorf("SPILL_UID: %w", err)
	}
	if config.gid, err = strconv.Atoi(env("SPILL_GID")); err != nil {
		return nil, fmt.Errorf("SPILL_GID: %w", err)
	}
	for _, text := range strings.Split(env("SPILL_GROUPS"), ",") {
		gid, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil {
			return nil, fmt.Errorf("SPILL_GROUPS: %w", err)
		}
		config.groups = append(config.groups, gid)
	}
	return &pod{config: config, ended: make(chan struct{})}, nil
}

func ownIDs() (uid, gid int, groups []int, err error) {
	groups, err = os.Getgroups()
	return os.Getuid(), os.Getgid(), groups, err
}

type pod struct {
	config podConfig

	mu       sync.Mutex
	script   int // its pid, 0 before
	reaped   bool
	stopping int // a signal came before the script
	ended    chan struct{}
}

// fault says why no script may run here: an image's /etc/group can add groups to a process that its user is not
// in, and a pod that lost one of the user's groups is not the user's either.
func (p *pod) fault() string {
	uid, gid, groups, err := p.config.getIDs()
	if err != nil {
		return err.Error()
	}
	if uid != p.config.uid || gid != p.config.gid {
		return fmt.Sprintf("runs as uid %d and gid %d instead of %d and %d", uid, gid, p.config.uid, p.config.gid)
	}
	has, want := asSet(append(groups, gid)), asSet(append(p.config.groups, p.config.gid))
	if !slices.Equal(has, want) {
		return fmt.Sprintf("has the groups %v instead of %v", has, want)
	}
	return ""
}

func asSet(gids []int) []int {
	sorted := slices.Sorted(slices.Values(gids))
	return slices.Compact(sorted)
}

func (p *pod) serve() int {
	conn := p.connect()
	if conn == nil {
		return 128 + p.stopping
	}
	l := newInnerLink(conn, func() int { return 0 })
	l.run()
	fault := p.fault()
	l.send(tInnerMain, innerMain{PID: os.Getpid(), Fault: fault})
	if fault != "" {
		logLine("main: refused: %s", fault)
		l.finish(nil)
		return 1
	}
	order, err := p.awaitOrder(l)
	if err != nil {
		logLine("main: %v", err)
		return 1
	}
	exited := p.run(l, order)
	l.send(tInnerExited, exited)
	l.finish(nil)
	p.config.signal(scopeAll, p.script, sigKill) // needless as process 1: the kernel does it
	if exited.Signal != nil {
		return 128 + *exited.Signal
	}
	return *exited.Code
}

// connect waits for the keeper's socket: the two containers start in any order.
func (p *pod) connect() *net.UnixConn {
	for {
		conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: p.config.socket, Net: "unix"})
		if err == nil {
			return conn
		}
		select {
		case <-p.ended:
			return nil
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// terminate is for the kubelet's own signal at the pod's deletion.
func (p *pod) terminate(signo int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.script != 0 {
		p.apply(signalBody{Signo: signo, Scope: scopeAll})
		return
	}
	if p.stopping == 0 {
		p.stopping = signo
		close(p.ended)
	}
}

// order is START with what came on the channels 3 and 4.
type order struct {
	start   *startBody
	path    string
	environ []string
	fault   error // the script could not be written
}

// awaitOrder keeps the script where it will be executed, and the environment in memory only.
func (p *pod) awaitOrder(l *link) (*order, error) {
	complete := make(chan struct{})
	defer close(complete)
	go func() {
		select {
		case <-p.ended:
			l.close(errors.New("ended before the start"))
		case <-complete:
		}
	}()
	o := &order{}
	var file *os.File
	var environ []byte
	closed := map[int]bool{}
	for !closed[chScript] || !closed[chEnv] {
		_, body, err := l.read()
		if err != nil {
			return nil, fmt.Errorf("the keeper went away before the start: %w", err)
		}
		switch b := body.(type) {
		case *startBody:
			o.start = b
			file, o.fault = p.createScript()
		case dataBody:
			if o.start == nil {
				return nil, errors.New("data before START")
			}
			if b.Channel == chEnv {
				environ = append(environ, b.Data...)
			} else if o.fault == nil {
				_, o.fault = file.Write(b.Data)
			}
		case *closeBody:
			closed[b.Channel] = true
		}
	}
	if o.fault == nil {
		o.path, o.fault = file.Name(), file.Close()
	}
	if o.fault == nil {
		o.fault = p.isMeant(o.start)
	}
	o.environ = o.start.Env.apply(splitEnviron(environ))
	return o, nil
}

// createScript makes a directory of its own: the emptyDir around it is everybody's in this pod.
func (p *pod) createScript() (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(p.config.dir), 0o755); err != nil {
		return nil, err
	}
	if err := os.Mkdir(p.config.dir, 0o700); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(filepath.Join(p.config.dir, "slurm_script"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o700)
	if err != nil {
		return nil, err
	}
	return file, file.Chmod(0o700)
}

func splitEnviron(block []byte) []string {
	var environ []string
	for entry := range strings.SplitSeq(string(block), "\x00") {
		if entry != "" {
			environ = append(environ, entry)
		}
	}
	return environ
}

// apply drops what cannot hold in a pod, then sets what holds instead.
func (c envChange) apply(environ []string) []string {
	var result []string
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		_, replaced := c.Set[name]
		if !replaced && !slices.ContainsFunc(c.Drop, func(pattern string) bool { return matches(pattern, name) }) {
			result = append(result, entry)
		}
	}
	for name, value := range c.Set {
		result = append(result, name+"="+value)
	}
	return result
}

// run runs the script to its end.
func (p *pod) run(l *link, o *order) innerExited {
	readers, writers, err := outputPipes(o.start.Join)
	if err != nil {
		return notRun(err)
	}
	// Before the script starts: once it runs, every byte it writes can be read, whatever becomes of us.
	l.send(tInnerPipes, innerPipes{Files: len(readers)}, readers...)
	stdout, stderr := writers[0], writers[len(writers)-1]
	pid, err := 0, o.fault
	if err == nil {
		pid, err = startScript(o, stdout, stderr)
	}
	if err != nil {
		fmt.Fprintf(stderr, "slurmstepd: error: %v\n", err)
	}
	for _, w := range writers {
		w.Close()
	}
	if err != nil {
		return notRun(err)
	}
	p.mu.Lock()
	p.script = pid
	stopping := p.stopping
	p.mu.Unlock()
	l.send(tInnerStarted, innerStarted{PID: pid})
	if stopping != 0 {
		p.terminate(stopping)
	}
	go p.hearSignals(l)
	return p.reap(pid)
}

// isMeant compares START with the pod that was made for it: two ways for the same, which must agree.
func (p *pod) isMeant(start *startBody) error {
	groups := []int{int(start.User.GID)}
	for _, gid := range start.Groups {
		groups = append(groups, int(gid))
	}
	has, want := asSet(append(p.config.groups, p.config.gid)), asSet(groups)
	if int(start.User.UID) != p.config.uid || int(start.User.GID) != p.config.gid || !slices.Equal(has, want) {
		return fmt.Errorf("the job is uid %d's with the groups %v, the pod uid %d's with %v", start.User.UID, want, p.config.uid, has)
	}
	return nil
}

func notRun(err error) innerExited {
	code := 1
	return innerExited{Code: &code, Reason: "the script was not started: " + err.Error()}
}

func outputPipes(join bool) (readers, writers []*os.File, err error) {
	n := 2
	if join {
		n = 1
	}
	for range n {
		var fds [2]int
		if err := syscall.Pipe2(fds[:], syscall.O_CLOEXEC); err != nil {
			return nil, nil, err
		}
		readers = append(readers, os.NewFile(uintptr(fds[0]), "reader"))
		writers = append(writers, os.NewFile(uintptr(fds[1]), "writer"))
	}
	return readers, writers, nil
}

func (p *pod) hearSignals(l *link) {
	for {
		_, body, err := l.read()
		if err != nil {
			return // a keeper that is gone leaves the script running; the gateway sees the container's end
		}
		if s, ok := body.(*signalBody); ok {
			p.mu.Lock()
			p.apply(*s)
			p.mu.Unlock()
			l.send(tSignalled, signalledBody{ID: s.ID})
		}
	}
}

// apply is called under mu: a pid that was reaped may be another process's.
func (p *pod) apply(s signalBody) {
	if p.reaped && s.Scope == scopeScript {
		return
	}
	p.config.signal(s.Scope, p.script, s.Signo)
}

// signalProcesses: as process 1, -1 is everything in the container but ourselves. Elsewhere (a shared process
// namespace, a test) it would be everything of the user's: there, what descends from us.
func signalProcesses(scope string, script, signo int) {
	switch {
	case scope == scopeScript:
		syscall.Kill(script, syscall.Signal(signo))
	case os.Getpid() == 1:
		syscall.Kill(-1, syscall.Signal(signo))
	default:
		for _, pid := range descendants(os.Getpid()) {
			syscall.Kill(pid, syscall.Signal(signo))
		}
	}
}

func descendants(of int) []int {
	children := map[int][]int{}
	entries, _ := os.ReadDir("/proc")
	for _, entry := range entries {
		if pid, err := strconv.Atoi(entry.Name()); err == nil {
			if parent, _, err := realProc.parentAndStart(pid); err == nil {
				children[parent] = append(children[parent], pid)
			}
		}
	}
	found := slices.Clone(children[of])
	for i := 0; i < len(found); i++ {
		found = append(found, children[found[i]]...)
	}
	return found
}

// reap takes every orphan's end, as process 1 must, until the script's own.
func (p *pod) reap(script int) innerExited {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return notRun(fmt.Errorf("wait: %w", err))
		}
		if pid != script || !(status.Exited() || status.Signaled()) {
			continue
		}
		p.mu.Lock()
		p.reaped = true
		p.mu.Unlock()
		report := innerExited{Rusage: childrenUsage()}
		if status.Signaled() {
			signo := int(status.Signal())
			report.Signal = &signo
		} else {
			code := status.ExitStatus()
			report.Code = &code
		}
		return report
	}
}

func childrenUsage() *rusageBody {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_CHILDREN, &u) != nil {
		return nil
	}
	return &rusageBody{
		UserMs:      u.Utime.Nano() / int64(time.Millisecond),
		SystemMs:    u.Stime.Nano() / int64(time.Millisecond),
		MaxRSSBytes: u.Maxrss << 10,
	}
}

// starterName is how main calls itself once more, between fork and the script.
const starterName = "spill-start"

// starterOrder is what the starter reads from descriptor 3.
type starterOrder struct {
	Path    string    `json:"path"`
	Argv    []bytes64 `json:"argv"`
	Cwd     bytes64   `json:"cwd"`
	Umask   int64     `json:"umask"`
	Limits  rlimits   `json:"limits"`
	Environ []bytes64 `json:"environ"`
}

// startScript forks a process in a session of its own that becomes the script. Limits, umask and directory are
// set there, not here: a small limit of address space would keep a Go program from starting, but not one that
// runs already. It is told what to do through a pipe, because its own environment would steer Go's runtime.
func startScript(o *order, stdout, stderr *os.File) (pid int, err error) {
	text, err := json.Marshal(starterOrder{
		Path: o.path, Argv: o.start.Argv, Cwd: o.start.Cwd, Umask: o.start.Umask,
		Limits: o.start.Limits, Environ: asBytes(o.environ),
	})
	if err != nil {
		return 0, err
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return 0, err
	}
	defer null.Close()
	reader, writer, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer reader.Close()
	running, started, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer running.Close()
	pid, err = syscall.ForkExec("/proc/self/exe", []string{starterName}, &syscall.ProcAttr{
		Env:   []string{},
		Files: []uintptr{null.Fd(), stdout.Fd(), stderr.Fd(), reader.Fd(), 2, started.Fd()},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	started.Close()
	if err != nil {
		writer.Close()
		return 0, err
	}
	writer.Write(text) // the starter may die before it has read all: then the pipe breaks, and its end is reaped
	writer.Close()
	// Until the script has taken its place: a signal must find the script, not a Go program.
	running.Read(make([]byte, 1))
	return pid, nil
}

func asBytes(list []string) []bytes64 {
	var all []bytes64
	for _, s := range list {
		all = append(all, bytes64(s))
	}
	return all
}
