package main

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// stepDaemon is what main of every pod is for the job's other pods: at the pod's own address it starts processes as
// the user for whoever holds the team's key, one a connection. It is slurmstepd's part of a step; what a step is,
// only srun knows. Rank 0's also keeps the count of CPUs that steps have taken, so that srun can wait for them.
type stepDaemon struct {
	team     *team
	key      []byte
	children *children
	listener net.Listener
	ledger   *stepLedger // nil but at rank 0
	calls    *callBook   // nil but at rank 0, and where the burst host does not run Slurm's programs for a script

	mu        sync.Mutex
	strangers []net.Conn         // not yet known, oldest first
	asked     map[*flow]struct{} // of steps that have their CPUs
	processes int
	stopping  bool
	idle      *sync.Cond
}

// maxStrangers bounds what who holds no key can take of this process. A caller that holds it is through in a
// millisecond, so when it is full the oldest goes.
const maxStrangers = 32

func startStepDaemon(t *team, c *children, cpus string, calls *callBook) (*stepDaemon, error) {
	listener, err := net.Listen("tcp", t.address(t.Rank))
	if err != nil {
		return nil, fmt.Errorf("the pod's address for steps: %w", err)
	}
	d := &stepDaemon{team: t, key: t.key(), children: c, listener: listener, asked: map[*flow]struct{}{}}
	d.idle = sync.NewCond(&d.mu)
	if t.Rank == 0 {
		d.ledger = newStepLedger(cpus, len(t.Hosts))
		if t.Calls {
			d.calls = calls
		}
	}
	go d.accept()
	return d, nil
}

func (d *stepDaemon) accept() {
	for {
		conn, err := d.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			logLine("main: accept: %v", err)
			time.Sleep(100 * time.Millisecond)
			continue
		}
		d.mu.Lock()
		d.strangers = append(d.strangers, conn)
		if len(d.strangers) > maxStrangers {
			d.strangers[0].Close()
			d.strangers = d.strangers[1:]
		}
		d.mu.Unlock()
		go d.hear(conn)
	}
}

func (d *stepDaemon) hear(conn net.Conn) {
	sealed, err := handshake(conn, d.key, roleNode, d.team.Rank)
	d.mu.Lock()
	for i, stranger := range d.strangers {
		if stranger == conn {
			d.strangers = append(d.strangers[:i:i], d.strangers[i+1:]...)
			break
		}
	}
	d.mu.Unlock()
	if err != nil { // nothing is said to it: it learns nothing of us
		conn.Close()
		return
	}
	f := newFlow(sealed)
	if err := d.serve(f); err != nil {
		f.fail("step", err.Error())
	}
	f.close(nil)
}

// serve takes the environment, then either an ASK or a RUN; the connection's end is the end of either.
func (d *stepDaemon) serve(f *flow) error {
	var environ []byte
	for {
		_, body, err := f.read()
		if err != nil {
			return nil
		}
		switch b := body.(type) {
		case bytesBody:
			if environ = append(environ, b.Data...); b.Channel != stEnviron || len(environ) > maxEnviron {
				return errors.New("not an environment, or too long a one")
			}
			if len(b.Data) > 0 {
				f.used(stEnviron, len(b.Data))
			}
		case *tookBody:
		case *stepAsk:
			return d.lend(f, b)
		case *runBody:
			return d.runProcess(f, b, splitEnviron(environ))
		case *stepCallBody:
			return d.callSlurm(f, b, splitEnviron(environ))
		default:
			return fmt.Errorf("%T before RUN", b)
		}
	}
}

// lend holds CPUs for as long as the step's connection lives.
func (d *stepDaemon) lend(f *flow, ask *stepAsk) error {
	if d.ledger == nil {
		return errors.New("steps are counted by rank 0")
	}
	gone := make(chan struct{})
	go func() {
		for {
			if _, _, err := f.read(); err != nil {
				close(gone)
				return
			}
		}
	}()
	id, err := d.ledger.take(ask, gone, func(why string) { f.send(tStepBusy, stepBusy{why}) })
	if err != nil {
		return err
	}
	if id < 0 { // it went away while it waited
		return nil
	}
	f.send(tStepGo, stepGo{id})
	d.mu.Lock()
	d.asked[f] = struct{}{}
	d.mu.Unlock()
	<-gone
	d.mu.Lock()
	delete(d.asked, f)
	d.mu.Unlock()
	d.ledger.giveBack(id)
	return nil
}

// signalSteps tells the srun of each step, which knows where its tasks are.
func (d *stepDaemon) signalSteps(kill killBody) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for f := range d.asked {
		f.send(tKill, kill)
	}
}

// begin counts a process, unless the pod is about to end.
func (d *stepDaemon) begin() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopping {
		return false
	}
	d.processes++
	return true
}

func (d *stepDaemon) done() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.processes--
	d.idle.Broadcast()
}

// stop lets nothing new start and returns when nothing runs.
func (d *stepDaemon) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stopping = true
	d.listener.Close()
	for d.processes > 0 {
		d.idle.Wait()
	}
}
