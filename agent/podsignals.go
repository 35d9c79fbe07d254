package main

import (
	"os"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// hear begins to read what the keeper says after START, once.
func (p *pod) hear(l *link) { p.hearing.Do(func() { go p.hearSignals(l) }) }

func (p *pod) hearSignals(l *link) {
	for {
		_, body, err := l.read()
		if err != nil {
			return // a keeper that is gone leaves the script running; the gateway sees the container's end
		}
		switch b := body.(type) {
		case *signalBody:
			p.mu.Lock()
			p.apply(*b)
			p.mu.Unlock()
			l.send(tSignalled, signalledBody{ID: b.ID})
		case *stageBody:
			p.stages.take(b)
		case *signedBody:
			p.stages.signed(b)
		case *calledBody:
			p.calls.answered(b)
		}
	}
}

// apply is called under mu: a pid that was reaped may be another process's.
func (p *pod) apply(s signalBody) {
	if p.helping {
		p.applyWithoutScript(s)
		return
	}
	if s.Scope == scopeSteps {
		if p.steps != nil {
			p.steps.signalSteps(killBody{Signo: s.Signo})
		}
		return
	}
	if p.reaped && s.Scope == scopeScript {
		return
	}
	if s.Scope == scopeAll && s.Signo == sigTerm && p.steps != nil {
		p.steps.signalSteps(killBody{Signo: s.Signo, End: true})
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

// restTime is what a script's end leaves to what it started: slurmstepd, too, takes a moment until it kills them, and
// a log that is made by `exec > >(tee log)` is not whole before tee has read its last line.
const restTime = 500 * time.Millisecond

// awaitRest waits until nothing else lives here, and no longer than so.
func awaitRest(most time.Duration) {
	for deadline := time.Now().Add(most); othersLive() && time.Now().Before(deadline); {
		time.Sleep(5 * time.Millisecond)
	}
}

// othersLive: whom signalProcesses would reach.
func othersLive() bool {
	if os.Getpid() == 1 {
		return syscall.Kill(-1, 0) != syscall.ESRCH
	}
	return len(descendants(os.Getpid())) > 0
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
