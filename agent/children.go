package main

import (
	"encoding/json"
	"os"
	"sync"
	"syscall"
)

// starterName is how main calls itself once more, between fork and what is to run.
const starterName = "spill-start"

// starterOrder is what the starter reads from descriptor 3.
type starterOrder struct {
	Path    bytes64   `json:"path"` // without a slash it is looked for in Environ's PATH
	Argv    []bytes64 `json:"argv"` // with the name that it is called by
	Cwd     bytes64   `json:"cwd"`
	Umask   int64     `json:"umask"`
	Limits  rlimits   `json:"limits"`
	Environ []bytes64 `json:"environ"`
	// Keep says that descriptor 6 is the process's too.
	Keep bool `json:"keep,omitempty"`
}

// children are main's own: the script and the tasks of steps. As process 1 main inherits orphans beside them.
type children struct {
	mu    sync.Mutex
	known map[int]*child
	born  chan struct{} // there is something to wait for again
}

// child leads a session of its own. Its end is told once, on ended.
type child struct {
	pid   int
	ended chan syscall.WaitStatus
}

func newChildren() *children {
	return &children{known: map[int]*child{}, born: make(chan struct{}, 1)}
}

// start forks a process in a session of its own that becomes what the order says. Limits, umask and directory are
// set there, not here: a small limit of address space would keep a Go program from starting, but not one that
// runs already. It is told what to do through a pipe, because its own environment would steer Go's runtime.
func (c *children) start(order starterOrder, stdin, stdout, stderr *os.File, extra ...*os.File) (*child, error) {
	order.Keep = len(extra) > 0
	text, err := json.Marshal(order)
	if err != nil {
		return nil, err
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	running, started, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer running.Close()
	files := []uintptr{stdin.Fd(), stdout.Fd(), stderr.Fd(), reader.Fd(), 2, started.Fd()}
	for _, file := range extra {
		files = append(files, file.Fd())
	}
	new, err := c.fork(files)
	started.Close()
	if err != nil {
		writer.Close()
		return nil, err
	}
	writer.Write(text) // the starter may die before it has read all: then the pipe breaks, and its end is reaped
	writer.Close()
	// Until it has taken its place: a signal must find what was asked for, not a Go program.
	running.Read(make([]byte, 1))
	return new, nil
}

// fork holds the lock, so that an end is never reaped before its child is known.
func (c *children) fork(files []uintptr) (*child, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	pid, err := syscall.ForkExec("/proc/self/exe", []string{starterName}, &syscall.ProcAttr{
		Env:   []string{},
		Files: files,
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return nil, err
	}
	new := &child{pid: pid, ended: make(chan syscall.WaitStatus, 1)}
	c.known[pid] = new
	select {
	case c.born <- struct{}{}:
	default:
	}
	return new, nil
}

// reap takes every end, orphans' too, as process 1 must, for as long as main lives.
func (c *children) reap() {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case err == syscall.ECHILD:
			<-c.born
		case err != nil || !(status.Exited() || status.Signaled()):
		default:
			c.mu.Lock()
			ended := c.known[pid]
			delete(c.known, pid)
			c.mu.Unlock()
			if ended != nil {
				ended.ended <- status
			}
		}
	}
}

// signal reaches a child only while its pid is its own: once reaped it may be another's.
func (c *children) signal(pid int, signo int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known[pid] != nil {
		syscall.Kill(pid, syscall.Signal(signo))
	}
}
