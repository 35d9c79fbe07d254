package main

import (
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"
)

const (
	scopeScript = "script"
	scopeSteps  = "steps" // what srun runs, on every node
	scopeFull   = "full"  // everything in the job's pods, which go on
	scopeAll    = "all"   // the same, and it is the end of the job

	// contThenTerm is section 7: how long after a CONT an ending signal belongs to it.
	contThenTerm = time.Second
)

// signalQueue numbers signals and keeps each until it was applied. Its owner's lock guards it.
type signalQueue struct {
	last    int
	pending []signalBody
}

// maxPending bounds what a gateway that is away can be owed; more would be somebody's loop.
const maxPending = 1024

func (q *signalQueue) add(signo int, scope string) (s signalBody, kept bool) {
	if len(q.pending) >= maxPending {
		return s, false
	}
	q.last++
	s = signalBody{ID: fmt.Sprintf("s%d", q.last), Signo: signo, Scope: scope}
	q.pending = append(q.pending, s)
	return s, true
}

func (q *signalQueue) applied(id string) {
	q.pending = slices.DeleteFunc(q.pending, func(s signalBody) bool { return s.ID == id })
}

// caught are the signals passed on: all that can be caught, but its children's, PIPE and XCPU, which would be about the
// stand-in itself, URG, which Go's scheduler sends itself, and PROF and 32 to 34, which Go's runtime keeps (so SIGRTMIN
// is not passed on). SEGV and its kin are, where somebody sent them; a fault of our own still ends us. XFSZ is: the limit it
// tells of is that of the job's output file.
func caught() []os.Signal {
	not := map[syscall.Signal]bool{
		syscall.SIGKILL: true, syscall.SIGSTOP: true, syscall.SIGCHLD: true, syscall.SIGURG: true, syscall.SIGPIPE: true,
		syscall.SIGXCPU: true, syscall.SIGPROF: true, 32: true, 33: true, 34: true,
	}
	var list []os.Signal
	for s := syscall.Signal(1); s <= 64; s++ {
		if !not[s] {
			list = append(list, s)
		}
	}
	return list
}

// watchSignals calls got for each signal with its scope. Slurm ends a job by CONT and TERM to all its processes;
// `scancel --batch` sends a signal to the script alone, `scancel --full` to all that the job has.
func watchSignals(got func(signo int, scope string)) {
	arrived := catchSignals()
	own := make(chan signalBody, 256)
	go sortSignals(arrived, func(signo int, scope string) { own <- signalBody{Signo: signo, Scope: scope} })
	go func() { askWitness(own, startWitness(), witnessPatience, got) }() // the job need not wait for it to start
}

func catchSignals() <-chan os.Signal {
	// Slurm sends few; room for a script's worth of USR1 in a loop.
	arrived := make(chan os.Signal, 256)
	signal.Notify(arrived, caught()...)
	signal.Ignore(syscall.SIGPIPE, syscall.SIGXCPU)
	return arrived
}

// sortSignals tells an end of the job (seen on 22.05.8 for scancel and the time limit: CONT, TERM some milliseconds
// later) from a signal for the script: `scancel --batch` sends that alone, and `--signal=B:TERM@60` sends TERM and CONT
// after it, so a CONT that comes second means nothing.
func sortSignals(arrived <-chan os.Signal, got func(signo int, scope string)) {
	var lastCont time.Time
	for s := range arrived {
		scope := scopeScript
		switch s {
		case syscall.SIGCONT:
			lastCont = time.Now()
		case syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP:
			if time.Since(lastCont) <= contThenTerm {
				scope = scopeAll
			}
		}
		got(int(s.(syscall.Signal)), scope)
	}
}
