package main

import (
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
	bin    string // where this executable's names lie
	uid    int
	gid    int
	groups []int
	getIDs func() (uid, gid int, groups []int, err error)
	signal func(scope string, script, signo int)
}

func podFromEnv(env func(string) string) (*pod, error) {
	config := podConfig{
		socket: env("SPILL_SOCKET"), dir: env("SPILL_DIR"), bin: env("SPILL_BIN"),
		getIDs: ownIDs, signal: signalProcesses,
	}
	if config.socket == "" {
		config.socket = defaultKeeperSocket
	}
	if config.dir == "" {
		config.dir = "/spill/run/job"
	}
	if config.bin == "" {
		config.bin = binDir()
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
	return &pod{config: config, ended: make(chan struct{}), children: newChildren(), finished: make(chan innerExited, 1), released: make(chan struct{})}, nil
}

// binDir is where `spill install` put this executable.
func binDir() string {
	path, err := os.Executable()
	if err != nil {
		return "/spill-bin"
	}
	return filepath.Dir(path)
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

	children *children
	leaving  bool        // told to end, waits for what it runs
	helping  bool        // no script will ever run here: its rank is not 0
	steps    *stepDaemon // nil before the start, and where a job has no team
	stages   *stager     // what STAGE asks for is done here, as the user
	calls    *callBook   // what the job asks of Slurm
	hearing  sync.Once
	released chan struct{}    // nothing more is asked of a main that stays
	finished chan innerExited // a main of a higher rank is told to end
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
	p.stages = newStager(l.sendBody)
	p.stages.ended = sync.OnceFunc(func() { close(p.released) })
	p.calls = newCallBook(l.sendBody)
	order, err := p.awaitOrder(l)
	if err != nil {
		logLine("main: %v", err)
		return 1
	}
	var exited innerExited
	if order.start.isHelper() {
		exited = p.help(l, order)
	} else {
		exited = p.run(l, order)
	}
	if order.start.Stays {
		p.stay(l, exited)
	} else {
		l.send(tInnerExited, exited)
	}
	l.finish(nil)
	p.config.signal(scopeAll, p.script, sigKill) // needless as process 1: the kernel does it
	if exited.Signal != nil {
		return 128 + *exited.Signal
	}
	return *exited.Code
}

// stay is the end of a script whose results are to be carried: what it left behind dies first, so that nothing changes any more.
func (p *pod) stay(l *link, exited innerExited) {
	p.config.signal(scopeAll, p.script, sigKill)
	l.send(tInnerExited, exited)
	p.hear(l) // a script that could not be started has not done so
	select {
	case <-p.released:
	case <-l.done: // the keeper has ended: nobody will ask
	}
	p.stages.stop()
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
	if p.script != 0 || p.steps != nil && p.helping {
		p.apply(signalBody{Signo: signo, Scope: scopeAll})
		return
	}
	if p.stopping == 0 {
		p.stopping = signo
		close(p.ended)
	}
}
