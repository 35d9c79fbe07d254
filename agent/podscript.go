package main

import (
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
	err = o.fault
	if err == nil {
		err = p.joinTeam(o)
	}
	var script *child
	if err == nil {
		script, err = p.startScript(o, stdout, stderr)
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
	p.script = script.pid
	stopping := p.stopping
	p.mu.Unlock()
	l.send(tInnerStarted, innerStarted{PID: script.pid})
	if stopping != 0 {
		p.terminate(stopping)
	}
	p.hear(l)
	go p.children.reap()
	status := <-script.ended
	p.mu.Lock()
	p.reaped = true
	p.mu.Unlock()
	awaitRest(restTime)
	return reportOf(status)
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

func reportOf(status syscall.WaitStatus) innerExited {
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

func (p *pod) startScript(o *order, stdout, stderr *os.File) (*child, error) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	return p.children.start(starterOrder{
		Path: bytes64(o.path), Argv: append([]bytes64{bytes64(o.path)}, o.start.Argv...), Cwd: o.start.Cwd,
		Umask: o.start.Umask, Limits: o.start.Limits, Environ: asBytes(o.environ),
	}, null, stdout, stderr)
}

func asBytes(list []string) []bytes64 {
	var all []bytes64
	for _, s := range list {
		all = append(all, bytes64(s))
	}
	return all
}
