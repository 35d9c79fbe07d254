package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// standinMain is executed by the kernel in the place of a batch script (`#!` put there by TaskProlog), with the
// script's path and arguments. It hands the job to the gateway through the root relay of this host, writes the
// pod's output to its own descriptors, passes signals on and ends as the script ended. Nothing of the script is
// ever run on this host.
func standinMain() int {
	s, err := newStandin(os.Args)
	if err != nil {
		complain("%v; nothing was run", err)
		return 1
	}
	watchSignals(s.signal)
	return s.serve()
}

// standin outlives its connections: each new one goes on where the last one was.
type standin struct {
	timing timing
	dial   func() (net.Conn, error)
	open   openBody
	script *input
	env    *input
	out    [chErr + 1]*output
	stages *stager
	calls  *callHost // nil: nothing is run for a script
	// die is dieBy outside of tests.
	die    func(signo int) int
	parent int

	mu      sync.Mutex
	epochs  epochs
	signals signalQueue
	link    *link // the current connection
	opened  bool  // OPEN went out on it
	going   bool  // GO came on it
	started bool  // GO ever came
	exit    *exitBody
	end     *outcome
	over    chan struct{}
}

// outcome is how this process is to end.
type outcome struct {
	code, signo int
	line        string
}

const (
	firstPause = 200 * time.Millisecond
	lastPause  = 5 * time.Second
)

func newStandin(argv []string) (*standin, error) {
	if len(argv) < 2 {
		return nil, errors.New("the stand-in is run by Slurm's slurmstepd, in the place of a script")
	}
	dir, err := ownDir()
	if err != nil {
		return nil, err
	}
	config, err := readHostConfig(filepath.Join(dir, "spill.json"), 0)
	if err != nil {
		return nil, err
	}
	line, err := standinLine(dir)
	if err != nil {
		return nil, err
	}
	script, err := openScript(argv[1], line)
	if err != nil {
		return nil, err
	}
	environ, err := environApart()
	if err != nil {
		return nil, err
	}
	open, err := describe(argv[2:], environ)
	if err != nil {
		return nil, err
	}
	outliveLimits()
	dial := func() (net.Conn, error) { return net.DialTimeout("unix", config.RelaySocket, protocolTiming.hello) }
	s := makeStandin(open, script, &input{channel: chEnv, source: environ}, dial, protocolTiming)
	own, err := environEntries(environ)
	if err != nil {
		return nil, err
	}
	s.runsFor(config, own)
	return s, nil
}

// runsFor has it run Slurm's programs for the script, as far as the host's administrator says; own is the job's environment.
func (s *standin) runsFor(config hostConfig, own []string) {
	rules := callRules{
		Which: config.ScriptCommands, Job: variable(own, "SLURM_JOB_ID"),
		ArrayJob: variable(own, "SLURM_ARRAY_JOB_ID"), ArrayTask: variable(own, "SLURM_ARRAY_TASK_ID"),
	}
	s.open.Calls = rules.Which != callNone
	s.calls = newCallHost(rules, own, finder(config.SlurmBin, variable(own, "PATH")), s.tell)
}

func makeStandin(open openBody, script, env *input, dial func() (net.Conn, error), t timing) *standin {
	open.Stages, open.Ranks = true, true
	s := &standin{
		timing: t, dial: dial, open: open, script: script, env: env,
		die: dieBy, parent: os.Getppid(), over: make(chan struct{}),
	}
	s.stages = newStager(s.tell)
	s.stages.sync = true
	s.stages.say = func(line string) { os.Stderr.WriteString(sayStaged(line)) }
	for _, channel := range []int{chOut, chErr} {
		s.out[channel] = newOutput(channel, func(written int64) { s.wrote(channel, written) })
		go s.out[channel].run()
	}
	return s
}

// openScript keeps the script open: what is sent is what was there when the job started.
func openScript(path, line string) (*input, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	front := make([]byte, len(line))
	if _, err := file.ReadAt(front, 0); err != nil || string(front) != line {
		return nil, fmt.Errorf("%s does not begin with the stand-in's line", path)
	}
	return &input{channel: chScript, source: file, skip: int64(len(line))}, nil
}

// describe gathers what the script would have inherited.
func describe(arguments []string, environ io.ReaderAt) (openBody, error) {
	cwd, err := syscall.Getwd()
	if err != nil {
		// The directory was removed: what slurmstepd could not change into, the pod cannot either.
		cwd = environValue(environ, "PWD")
	}
	umask := syscall.Umask(0o077)
	syscall.Umask(umask)
	restart, _ := strconv.ParseInt(environValue(environ, "SLURM_RESTART_COUNT"), 10, 64)
	open := openBody{
		Restart: max(restart, 0), Cwd: bytes64(strings.TrimSuffix(cwd, " (deleted)")), Umask: int64(umask), Limits: readLimits(),
		Join: sameFile(1, 2), Session: newNonce(), Argv: []bytes64{},
	}
	for _, a := range arguments {
		open.Argv = append(open.Argv, bytes64(a))
	}
	if _, err := encode(tOpen, open); err != nil {
		return open, fmt.Errorf("the arguments are too long: %w", err)
	}
	return open, nil
}

// sameFile: slurmstepd opens one file for both outputs unless the user asked for two.
func sameFile(a, b int) bool {
	var sa, sb syscall.Stat_t
	return syscall.Fstat(a, &sa) == nil && syscall.Fstat(b, &sb) == nil && sa.Dev == sb.Dev && sa.Ino == sb.Ino
}

// serve connects again for as long as it lives: a gateway that is away says nothing about the job.
func (s *standin) serve() int {
	pause := firstPause
	for {
		if s.connectOnce() {
			pause = firstPause
		}
		select {
		case <-s.over:
			return s.finish()
		default:
		}
		select {
		case <-s.over:
			return s.finish()
		case <-time.After(pause):
		}
		pause = min(2*pause, lastPause)
	}
}

func (s *standin) finish() int {
	if s.end.line != "" {
		os.Stderr.WriteString(strings.TrimRight(s.end.line, "\n") + "\n")
	}
	if s.end.signo != 0 {
		return s.die(s.end.signo)
	}
	return s.end.code
}

// connectOnce serves one connection to its end. It says whether the gateway was reached.
func (s *standin) connectOnce() (reached bool) {
	conn, err := s.dial()
	if err != nil {
		return false
	}
	l := newLink(conn, s.timing, nil)
	l.nextData = func() int { return s.nextData(l) }
	defer l.join() // the next connection's writer must find no other at the inputs
	s.mu.Lock()
	s.link, s.opened, s.going = l, false, false
	ended := s.end != nil
	s.mu.Unlock()
	l.run()
	if ended {
		return false
	}
	l.send(tHello, helloBody{V: []int{protocolVersion}, Role: "standin", Nonce: newNonce()})
	greeted := false
	for {
		typ, body, err := l.read()
		if err != nil {
			return reached
		}
		if typ != tHello && typ != tError && !greeted {
			l.fail("malformed", "a frame before HELLO")
			return reached
		}
		switch b := body.(type) {
		case *helloBody:
			greeted = s.greet(l, b)
		case *waitBody:
			reached = true
		case *goBody:
			reached = true
		}
		s.handle(l, body)
	}
}

func (s *standin) greet(l *link, hello *helloBody) bool {
	if !speaks(hello.V) {
		l.fail("version", fmt.Sprintf("this stand-in speaks version %d, the gateway %v", protocolVersion, hello.V))
		s.failBeforeStart("the gateway and this host's spill have no protocol version in common")
		return false
	}
	if hello.Role != "gateway" {
		l.fail("malformed", "HELLO of a "+hello.Role)
		return false
	}
	if hello.Epoch != nil && !s.accepts(*hello.Epoch) {
		l.fail("stale_epoch", "a later leader was heard")
		return false
	}
	open := s.open
	open.Have = outHave{s.out[chOut].position(), s.out[chErr].position()}
	l.send(tOpen, open)
	s.mu.Lock()
	s.opened = true
	s.mu.Unlock()
	return true
}

func (s *standin) handle(l *link, body any) {
	switch b := body.(type) {
	case *refuseBody:
		s.ends(outcome{code: int(b.Exit), line: b.Line})
		l.finish(nil)
	case *goBody:
		if !s.accepts(b.Epoch) {
			l.fail("stale_epoch", "a later leader was heard")
			return
		}
		s.proceed(l, b)
	case dataBody:
		s.take(l, b)
	case *ackBody:
		switch b.Channel {
		case chScript:
			s.script.acknowledge(b.Offset)
		case chEnv:
			s.env.acknowledge(b.Offset)
		}
		l.poke()
	case *signalledBody:
		s.mu.Lock()
		s.signals.applied(b.ID)
		s.mu.Unlock()
	case *stageBody:
		s.stages.take(b)
	case *signedBody:
		s.stages.signed(b)
	case *callBody:
		if s.calls != nil {
			s.calls.take(b)
		}
	case *exitBody:
		s.mu.Lock()
		s.exit = b
		s.mu.Unlock()
		s.endIfWritten()
	case *errorBody:
		if b.Code == "not_a_batch_step" || b.Code == "version" {
			s.failBeforeStart(b.Text)
		}
		if b.Code == "not_a_batch_step" && os.Getppid() != s.parent {
			// slurmstepd died: the relay will never let us through again, and nobody is left to tell an end to.
			s.ends(outcome{code: 1, line: "spillway: the step's slurmstepd is gone"})
		}
		l.close(errors.New(b.Code + ": " + b.Text))
	}
}

// tell reaches the gateway of now; one that is away says its STAGE or CALL again when it is back.
func (s *standin) tell(typ byte, body any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.link != nil && s.opened {
		s.link.send(typ, body)
	}
}

func (s *standin) accepts(epoch int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.epochs.accept(epoch)
}

// proceed begins to send script and environment, what is written, and the signals that are still on their way.
func (s *standin) proceed(l *link, b *goBody) {
	s.script.restart(b.Have.Script)
	s.env.restart(b.Have.Env)
	for _, channel := range []int{chOut, chErr} {
		if written := s.out[channel].position(); written > 0 {
			l.send(tAck, ackBody{channel, written})
		}
	}
	s.mu.Lock()
	s.going, s.started = true, true
	for _, signal := range s.signals.pending {
		l.send(tSignal, signal)
	}
	s.mu.Unlock()
	l.poke()
}

// nextData is asked by the connection's writer.
func (s *standin) nextData(l *link) int {
	s.mu.Lock()
	going := s.going
	s.mu.Unlock()
	if !going {
		return 0
	}
	for _, in := range []*input{s.script, s.env} {
		n, end, err := in.next(l.buffer())
		switch {
		case err != nil:
			l.close(fmt.Errorf("channel %d: %w", in.channel, err))
			return 0
		case n > 0:
			return n
		case end != nil:
			l.send(tClose, *end)
		}
	}
	return 0
}

func (s *standin) take(l *link, d dataBody) {
	if d.Channel != chOut && d.Channel != chErr {
		l.fail("malformed", fmt.Sprintf("DATA of channel %d", d.Channel))
		return
	}
	if s.out[d.Channel].take(d.Offset, d.Data) != nil {
		l.fail("gap", fmt.Sprintf("channel %d goes on at %d", d.Channel, d.Offset))
	}
}

// wrote acknowledges, and ends this process if that was the last byte.
func (s *standin) wrote(channel int, written int64) {
	s.mu.Lock()
	if s.link != nil && s.going {
		s.link.send(tAck, ackBody{channel, written})
	}
	s.mu.Unlock()
	s.endIfWritten()
}

func (s *standin) endIfWritten() {
	s.mu.Lock()
	exit, l := s.exit, s.link
	s.mu.Unlock()
	if exit == nil || s.out[chOut].position() < exit.Ends.Out || s.out[chErr].position() < exit.Ends.Err {
		return
	}
	how := outcome{}
	switch {
	case exit.Code != nil:
		how.code = *exit.Code
	case exit.Signal != nil:
		how.signo = *exit.Signal
		// Slurm says by which signal; of what it was for, only the gateway knows.
		if strings.Contains(exit.Reason, " ") {
			how.line = "spillway: " + exit.Reason
		}
	default:
		how.signo = int(syscall.SIGKILL)
		how.line = "spillway: the job was lost: " + exit.Reason
	}
	if s.ends(how) {
		l.send(tBye, byeBody{})
		l.finish(nil)
	}
}

// ends settles how this process ends, once.
func (s *standin) ends(how outcome) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.end != nil {
		return false
	}
	s.end = &how
	close(s.over)
	return true
}

// failBeforeStart ends with a line for the owner, but never a stand-in whose script may be running.
func (s *standin) failBeforeStart(text string) {
	s.mu.Lock()
	started := s.started
	s.mu.Unlock()
	if !started {
		s.ends(outcome{code: 1, line: "spillway: " + text + "; nothing was run"})
	}
}

// signal passes one on. Before anything can have started, an end of the whole job needs nobody's leave.
func (s *standin) signal(signo int, scope string) {
	s.mu.Lock()
	if !s.started && scope == scopeAll {
		s.mu.Unlock()
		if s.ends(outcome{signo: signo}) {
			s.mu.Lock()
			l := s.link
			s.mu.Unlock()
			if l != nil {
				l.close(errors.New("ended by a signal"))
			}
		}
		return
	}
	body, kept := s.signals.add(signo, scope)
	if kept && s.link != nil && s.going {
		s.link.send(tSignal, body)
	}
	s.mu.Unlock()
}
