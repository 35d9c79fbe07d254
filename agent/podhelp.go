package main

import (
	"fmt"
	"os"
)

// joinTeam makes the pod one that the job's other pods can start processes in.
func (p *pod) joinTeam(o *order) error {
	if o.start.Team == nil {
		return nil
	}
	if o.key == nil {
		return fmt.Errorf("a team without a key: the keeper is older than this")
	}
	t := teamOf(o.start.Team, o.key, p.config.bin)
	t.Calls, t.KillWaitMs = o.start.Calls, o.start.KillAfterMs
	daemon, err := startStepDaemon(t, p.children, variable(o.environ, "SLURM_JOB_CPUS_PER_NODE"), p.calls)
	if err != nil && len(t.Hosts) == 1 {
		logLine("main: %v; srun will not work in this job", err) // the script may do without
		return nil
	}
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.steps = daemon
	p.mu.Unlock()
	return t.write(p.config.dir)
}

// help is run for a pod of a higher rank: it is there for the others until it is told to end.
func (p *pod) help(l *link, o *order) innerExited {
	err := o.fault
	if err == nil {
		err = p.joinTeam(o)
	}
	if err != nil {
		logLine("main: %v", err)
		code := 1
		return innerExited{Code: &code, Reason: "the pod could not be of use: " + err.Error()}
	}
	go p.children.reap()
	p.mu.Lock()
	p.helping = true
	stopping := p.stopping
	p.mu.Unlock()
	l.send(tInnerStarted, innerStarted{PID: os.Getpid()})
	if stopping != 0 {
		p.terminate(stopping)
	}
	p.hear(l)
	ended := <-p.finished
	ended.Rusage = childrenUsage()
	return ended
}

// applyWithoutScript is called under mu. TERM ends the pod once what it runs has ended by it; KILL at once.
func (p *pod) applyWithoutScript(s signalBody) {
	switch s.Signo {
	case sigKill:
		signo := sigKill
		p.config.signal(scopeAll, 0, sigKill)
		p.finishAs(innerExited{Signal: &signo})
	case sigTerm, sigInt, sigHup:
		if p.leaving {
			return
		}
		p.leaving = true
		p.config.signal(scopeAll, 0, s.Signo)
		go func() {
			p.steps.stop()
			code := 0
			p.finishAs(innerExited{Code: &code})
		}()
	default:
		if s.Scope == scopeFull || s.Scope == scopeAll {
			p.config.signal(scopeAll, 0, s.Signo)
		}
	}
}

func (p *pod) finishAs(ended innerExited) {
	select {
	case p.finished <- ended:
	default: // it is ending already
	}
}
