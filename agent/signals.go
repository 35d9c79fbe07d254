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
	scopeAll    = "all"

	// Section 7: how long after a CONT an ending signal belongs to it.
	contThenTerm = time.Second
	// Of two signals sent in one breath the kernel may deliver the second first.
	termThenCont = 100 * time.Millisecond
)

// signalQueue numbers signals and keeps each until it was applied. Its owner's lock guards it.
type signalQueue struct {
	last    int
	pending []signalBody
}

func (q *signalQueue) add(signo int, scope string) signalBody {
	q.last++
	s := signalBody{ID: fmt.Sprintf("s%d", q.last), Signo: signo, Scope: scope}
	q.pending = append(q.pending, s)
	return s
}

func (q *signalQueue) applied(id string) {
	q.pending = slices.DeleteFunc(q.pending, func(s signalBody) bool { return s.ID == id })
}

// caught are the signals passed on: all that can be caught, but the faults of a program itself, its children's, XCPU,
// which would be about the stand-in's own time, URG, which Go's scheduler sends itself, and 32 to 34, which Go's
// runtime keeps (so SIGRTMIN is not passed on). XFSZ is: the limit it tells of is that of the job's output file.
func caught() []os.Signal {
	not := map[syscall.Signal]bool{
		syscall.SIGKILL: true, syscall.SIGSTOP: true, syscall.SIGCHLD: true, syscall.SIGURG: true, syscall.SIGPIPE: true,
		syscall.SIGILL: true, syscall.SIGTRAP: true, syscall.SIGBUS: true, syscall.SIGFPE: true, syscall.SIGSEGV: true,
		syscall.SIGSYS: true, syscall.SIGXCPU: true, 32: true, 33: true, 34: true,
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
// `scancel --batch` sends a signal to the script alone.
func watchSignals(got func(signo int, scope string)) {
	// Slurm sends few; room for a script's worth of USR1 in a loop.
	arrived := make(chan os.Signal, 256)
	signal.Notify(arrived, caught()...)
	signal.Ignore(syscall.SIGPIPE, syscall.SIGXCPU)
	go sortSignals(arrived, got)
}

func sortSignals(arrived <-chan os.Signal, got func(signo int, scope string)) {
	var lastCont time.Time
	var held os.Signal // came while we waited for a CONT
	for {
		s := held
		if held = nil; s == nil {
			open := false
			if s, open = <-arrived; !open {
				return
			}
		}
		signo := int(s.(syscall.Signal))
		switch s {
		case syscall.SIGCONT:
			lastCont = time.Now()
			got(signo, scopeScript)
		case syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP:
			if time.Since(lastCont) > contThenTerm {
				select {
				case held = <-arrived:
				case <-time.After(termThenCont):
				}
				if held == syscall.SIGCONT {
					held = nil
					lastCont = time.Now()
					got(int(syscall.SIGCONT), scopeScript)
				}
			}
			scope := scopeScript
			if time.Since(lastCont) <= contThenTerm {
				scope = scopeAll
			}
			got(signo, scope)
		default:
			got(signo, scopeScript)
		}
	}
}
