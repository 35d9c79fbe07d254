package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// callHost is the stand-in's part of section 14: it runs Slurm's own programs as the user, as the script would on a node. What
// it may run is the host's administrator's to say, since whoever speaks for the gateway can ask too.
type callHost struct {
	rules   callRules
	environ []string // the job's, as Slurm gave it
	find    func(program string) (string, error)
	tell    func(typ byte, body any)
	// leftover is for what a program has started and left behind with its outputs: so long they may say nothing.
	leftover time.Duration

	mu       sync.Mutex
	calls    map[callKey]*hostCall
	sessions map[string]*callSession
}

// callSession is what stays of a main's numbers: the last one, and why that was not run, if it was not.
type callSession struct {
	highest int64
	refused string
}

type callKey struct {
	session string
	n       int64
}

const (
	// mostCalls run at once for one job; mostSessions is for a job's mains, of which there is one.
	mostCalls    = 16
	mostSessions = 16
	// callHeld of each output is kept until somebody has it; the program waits meanwhile.
	callHeld = 2 * calledPiece
)

// hostCall is one program, from its start until nobody waits for it. Under callHost.mu.
type hostCall struct {
	key   callKey
	kill  context.CancelFunc
	base  outHave // what lies before was named by HAVE
	out   [2][]byte
	end   *callEnd
	asked bool // a question waits for more than Have
	room  *sync.Cond
	gone  bool
}

func newCallHost(rules callRules, environ []string, find func(string) (string, error), tell func(byte, any)) *callHost {
	return &callHost{
		rules: rules, environ: environ, find: find, tell: tell, leftover: 5 * time.Second,
		calls: map[callKey]*hostCall{}, sessions: map[string]*callSession{},
	}
}

// take answers one question. The same again is answered again; it runs nothing twice.
func (h *callHost) take(b *callBody) {
	h.mu.Lock()
	defer h.mu.Unlock()
	key := callKey{b.Session, b.N}
	known := h.calls[key]
	h.dropUnwaited(b)
	switch {
	case b.Drop:
		h.reached(key, "")
		if known != nil {
			h.drop(known)
		}
	case known != nil:
		h.goOn(known, b)
	case b.Run == nil:
		h.refuse(key, forgotten)
	default:
		h.begin(key, b.Run)
	}
}

// dropUnwaited: whoever begins a number says which before it are waited for. A drop is said once, and may have been lost.
func (h *callHost) dropUnwaited(b *callBody) {
	if b.Waits == nil {
		return
	}
	for key, c := range h.calls {
		if key.session == b.Session && key.n < b.N && !slices.Contains(b.Waits, key.n) {
			h.drop(c)
		}
	}
}

// reached keeps that a number was used, whatever came of it.
func (h *callHost) reached(key callKey, refused string) {
	session := h.sessions[key.session]
	if session == nil {
		if len(h.sessions) >= mostSessions {
			return
		}
		session = &callSession{highest: -1}
		h.sessions[key.session] = session
	}
	if key.n > session.highest {
		session.highest, session.refused = key.n, refused
	}
}

func (h *callHost) drop(c *hostCall) {
	c.gone = true
	c.kill()
	c.room.Broadcast()
	delete(h.calls, c.key)
}

// goOn lets go of what arrived, and says what came since.
func (h *callHost) goOn(c *hostCall, b *callBody) {
	for i, have := range []int64{b.Have.Out, b.Have.Err} {
		base := c.at(i)
		if n := have - *base; n > 0 && n <= int64(len(c.out[i])) {
			c.out[i] = append([]byte(nil), c.out[i][n:]...)
			*base = have
		}
	}
	c.room.Broadcast()
	c.asked = true
	if b.Run != nil { // its first answer was lost
		h.answer(c)
		return
	}
	h.news(c)
}

func (c *hostCall) at(i int) *int64 {
	if i == 0 {
		return &c.base.Out
	}
	return &c.base.Err
}

// news answers a question that waits, if there is anything to say.
func (h *callHost) news(c *hostCall) {
	if c.asked && !c.gone && (len(c.out[0]) > 0 || len(c.out[1]) > 0 || c.end != nil) {
		h.answer(c)
	}
}

func (h *callHost) answer(c *hostCall) {
	c.asked = false
	out, err := c.out[0][:min(len(c.out[0]), calledPiece)], c.out[1][:min(len(c.out[1]), calledPiece)]
	body := &calledBody{Session: c.key.session, N: c.key.n, At: c.base, Out: out, Err: err}
	if len(out) == len(c.out[0]) && len(err) == len(c.out[1]) {
		body.End = c.end
	}
	h.tell(tCalled, body)
}

func (h *callHost) refuse(key callKey, why string) {
	h.tell(tCalled, &calledBody{Session: key.session, N: key.n, Out: bytes64{}, Err: bytes64{}, End: &callEnd{Refused: why}})
}

// forgotten is said of a number that was taken before and let go of.
const forgotten = "this program's answer is not kept any more; whether it was run, Slurm knows"

func (h *callHost) begin(key callKey, run *callRun) {
	why := h.unfit(key, run)
	path, err := h.find(run.Program)
	if why == "" && err != nil {
		why = err.Error()
	}
	h.reached(key, why) // also if it is refused: the same again, which comes late, must not be run after all
	if why != "" {
		h.refuse(key, why)
		return
	}
	ctx, kill := context.WithCancel(context.Background())
	c := &hostCall{key: key, kill: kill, room: sync.NewCond(&h.mu)}
	h.calls[key] = c
	h.answer(c) // it is taken: the next number may follow
	go h.run(ctx, c, path, run)
}

// unfit says why a program is not run; "" if it is.
func (h *callHost) unfit(key callKey, run *callRun) string {
	session, why := h.sessions[key.session], h.rules.refuse(run.Program, asStrings(run.Args))
	switch {
	case session != nil && key.n == session.highest && session.refused != "":
		return session.refused
	case session != nil && key.n <= session.highest:
		return forgotten
	case session == nil && len(h.sessions) >= mostSessions:
		return "too many have asked for this job"
	case why != "":
		return why
	case len(h.calls) >= mostCalls:
		return fmt.Sprintf("%d of Slurm's programs are running for this job; nothing was run", mostCalls)
	case run.Program == submits && len(run.Cwd) == 0:
		return "the directory that " + submits + " was called in is gone; nothing was run"
	}
	return ""
}
