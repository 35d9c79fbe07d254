package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"
)

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
		MaxRSSBytes: int64(u.Maxrss) << 10,
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
