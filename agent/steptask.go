package main

import (
	"fmt"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// stepProcess is one process that another pod of the job asked for.
type stepProcess struct {
	*flow
	run    *runBody
	child  *child
	stdin  *os.File // our end; nil where a file is read
	pmi    *os.File
	output sync.WaitGroup
	after  []func() // what may be said once RUNNING is
}

// outputGrace is for what escaped the session of a task that has ended and still holds its output.
const outputGrace = 5 * time.Second

// runProcess runs one process to its end. A caller that goes away takes it along.
func (d *stepDaemon) runProcess(f *flow, run *runBody, environ []string) error {
	if !d.begin() {
		return fmt.Errorf("%s is ending", d.team.Hosts[d.team.Rank].Name)
	}
	defer d.done()
	s := &stepProcess{flow: f, run: run}
	if err := s.start(d.children, environ); err != nil {
		return err
	}
	s.send(tRunning, runningBody{s.child.pid})
	for _, begin := range s.after {
		begin()
	}
	broken := make(chan struct{})
	go s.hear(d.children, broken)
	go s.copyIn(stIn, s.stdin)
	go s.copyIn(stPMI, s.pmi)
	select {
	case status := <-s.child.ended:
		s.finishUp(status)
	case <-broken:
		killAll(s.child.pid)
		<-s.child.ended
		killSession(s.child.pid)
	}
	return nil
}

func (s *stepProcess) finishUp(status syscall.WaitStatus) {
	if s.run.Task {
		killSession(s.child.pid)
	}
	drained := make(chan struct{})
	go func() {
		s.output.Wait()
		close(drained)
	}()
	select {
	case <-drained:
	case <-time.After(outputGrace):
	case <-s.done:
	}
	ended := endedBody{Code: status.ExitStatus()}
	if status.Signaled() {
		ended = endedBody{Signal: int(status.Signal()), Core: status.CoreDump()}
	}
	s.send(tEnded, ended)
	s.finish(nil)
}

func (s *stepProcess) start(c *children, environ []string) (err error) {
	var theirs []*os.File
	defer func() {
		for _, file := range theirs {
			file.Close()
		}
	}()
	add := func(file *os.File, err error) error {
		if err == nil {
			theirs = append(theirs, file)
		}
		return err
	}
	if err := add(s.openIn()); err != nil {
		return err
	}
	if err := add(s.openOut(stOut, s.run.Out)); err != nil {
		return err
	}
	if len(s.run.Err) > 0 && string(s.run.Err) == string(s.run.Out) { // one file, one place in it
		s.after = append(s.after, func() { s.end(stErr) })
		err = add(dup(theirs[1]))
	} else {
		err = add(s.openOut(stErr, s.run.Err))
	}
	if err != nil {
		return err
	}
	if s.run.PMI {
		if err := add(s.openPMI()); err != nil {
			return err
		}
		environ = append(environ, "PMI_FD=6")
	}
	s.child, err = c.start(starterOrder{
		Path: s.run.Argv[0], Argv: s.run.Argv, Cwd: s.run.Cwd, Umask: s.run.Umask, Limits: s.run.Limits,
		Environ: asBytes(environ),
	}, theirs[0], theirs[1], theirs[2], theirs[3:]...)
	return err
}

func dup(file *os.File) (*os.File, error) {
	fd, err := syscall.Dup(int(file.Fd()))
	if err != nil {
		return nil, err
	}
	syscall.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), file.Name()), nil
}

func (s *stepProcess) inDirectory(path bytes64) string {
	if path[0] == '/' {
		return string(path)
	}
	return string(s.run.Cwd) + "/" + string(path)
}

func (s *stepProcess) openIn() (*os.File, error) {
	if len(s.run.In) > 0 {
		return os.Open(s.inDirectory(s.run.In))
	}
	reader, writer, err := os.Pipe()
	s.stdin = writer
	return reader, err
}

// openOut gives what the process writes to.
func (s *stepProcess) openOut(channel int, path bytes64) (*os.File, error) {
	if len(path) > 0 {
		s.after = append(s.after, func() { s.end(channel) })
		how := os.O_WRONLY | os.O_CREATE | os.O_TRUNC
		if s.run.Append {
			how = os.O_WRONLY | os.O_CREATE | os.O_APPEND
		}
		return os.OpenFile(s.inDirectory(path), how, os.FileMode(0o666&^s.run.Umask))
	}
	open := os.Pipe
	if s.run.Terminal && channel == stOut {
		open = openTerminal
	}
	reader, writer, err := open()
	s.after = append(s.after, func() { s.output.Go(func() { s.copyOut(channel, reader) }) })
	return writer, err
}

func (s *stepProcess) openPMI() (*os.File, error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	syscall.SetNonblock(fds[0], true) // ours is polled: no thread waits for it
	s.pmi = os.NewFile(uintptr(fds[0]), "pmi")
	s.after = append(s.after, func() { go s.copyOut(stPMI, s.pmi) })
	return os.NewFile(uintptr(fds[1]), "pmi"), nil
}

func (s *stepProcess) copyOut(channel int, from *os.File) {
	defer from.Close()
	buffer := make([]byte, stepChunk)
	for {
		n, err := from.Read(buffer)
		if n > 0 && s.put(channel, buffer[:n]) != nil {
			return
		}
		if err != nil {
			s.end(channel)
			return
		}
	}
}

// copyIn goes on taking where the process reads no more: its caller need not know.
func (s *stepProcess) copyIn(channel int, file *os.File) {
	for {
		piece := s.take(channel)
		if piece == nil {
			if file != nil {
				file.Close()
			}
			return
		}
		if file != nil {
			if _, err := file.Write(piece); err != nil && channel == stIn {
				file.Close()
				file = nil
			}
		}
		s.used(channel, len(piece))
	}
}

// hear takes what comes while the process runs.
func (s *stepProcess) hear(c *children, broken chan<- struct{}) {
	defer close(broken)
	for {
		_, body, err := s.read()
		if err != nil {
			return
		}
		switch b := body.(type) {
		case bytesBody:
			if err := s.arrived(b); err != nil {
				s.fail("window", err.Error())
				return
			}
		case *tookBody:
			s.acknowledged(b)
		case *killBody:
			signalSession(s.child.pid, b.Signo)
		}
	}
}

// A session is what a process and its children are, unless they leave it on purpose.
func killSession(leader int) { signalSession(leader, sigKill) }

// killAll takes what left the session along too, as far as it is still known whose it is.
func killAll(leader int) {
	for _, pid := range descendants(leader) {
		syscall.Kill(pid, syscall.Signal(sigKill))
	}
	killSession(leader)
}

func signalSession(leader, signo int) {
	for _, pid := range sessionOf(leader) {
		syscall.Kill(pid, syscall.Signal(signo))
	}
}

func sessionOf(leader int) []int {
	var members []int
	entries, _ := os.ReadDir("/proc")
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if session, _, errno := syscall.RawSyscall(syscall.SYS_GETSID, uintptr(pid), 0, 0); errno == 0 && int(session) == leader {
			members = append(members, pid)
		}
	}
	return members
}
