package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"time"
)

// callBook is main's part of section 14: what the job's processes ask of Slurm, passed on by the keeper and the gateway to
// the stand-in. Either may be away for a while, so what is not answered is asked again; a number is used for one program.
type callBook struct {
	send    func(typ byte, body any)
	session string
	again   time.Duration

	// begin is held from a number's making to its first answer: the stand-in takes numbers in order, and so runs none twice.
	begin chan struct{}
	// slots are the programs that run at once; the others wait here.
	slots chan struct{}

	mu      sync.Mutex
	n       int64
	waiting map[int64]chan *calledBody
}

// callAgain is how long an answer may take before it is asked for once more. Most are there at once, or with the program's next output.
const callAgain = 5 * time.Second

func newCallBook(send func(typ byte, body any)) *callBook {
	session := make([]byte, 8)
	rand.Read(session)
	return &callBook{
		send: send, session: hex.EncodeToString(session), again: callAgain,
		begin: make(chan struct{}, 1), slots: make(chan struct{}, mostCalls/2), waiting: map[int64]chan *calledBody{},
	}
}

// answered takes what the stand-in says. The newest counts: what came twice is the same.
func (c *callBook) answered(b *calledBody) {
	c.mu.Lock()
	defer c.mu.Unlock()
	news := c.waiting[b.N]
	if b.Session != c.session || news == nil {
		return
	}
	select {
	case <-news:
	default:
	}
	news <- b
}

var errNobodyWaits = errors.New("nobody waits for the program any more")

// run has a program run and hands its output to put as it comes. It ends early when gone does.
func (c *callBook) run(ask callRun, put func(channel int, data []byte) error, gone <-chan struct{}) (callEnd, error) {
	if !fits(&ask) {
		return callEnd{Refused: fmt.Sprintf("arguments, environment and standard input are longer than a frame of %d bytes; nothing was run", maxFrame)}, nil
	}
	for _, place := range []chan struct{}{c.slots, c.begin} {
		select {
		case place <- struct{}{}:
		case <-gone:
			if place == c.begin {
				<-c.slots
			}
			return callEnd{}, errNobodyWaits
		}
	}
	defer func() { <-c.slots }()
	begun := sync.OnceFunc(func() { <-c.begin })
	defer begun()
	news := make(chan *calledBody, 1)
	c.mu.Lock()
	c.n++
	call := callBody{Session: c.session, N: c.n, Run: &ask}
	c.waiting[call.N] = news
	call.Waits = slices.Sorted(maps.Keys(c.waiting))
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.waiting, call.N)
		c.mu.Unlock()
		c.send(tCall, &callBody{Session: call.Session, N: call.N, Have: call.Have, Drop: true})
	}()
	for {
		c.send(tCall, &call)
		answer := c.await(news, &call, gone)
		if answer == nil {
			return callEnd{}, errNobodyWaits
		}
		begun()
		call.Run, call.Waits = nil, nil
		if err := put(stOut, answer.Out); err != nil {
			return callEnd{}, err
		}
		if err := put(stErr, answer.Err); err != nil {
			return callEnd{}, err
		}
		call.Have.Out += int64(len(answer.Out))
		call.Have.Err += int64(len(answer.Err))
		if answer.End != nil {
			return *answer.End, nil
		}
	}
}

// fits: a frame that cannot be sent ends its connection, and without the keeper's the job would be lost. Many short arguments
// are longer there than they look.
func fits(ask *callRun) bool {
	widest := callBody{Session: "0123456789abcdef", N: math.MaxInt64, Run: ask}
	for range mostCalls {
		widest.Waits = append(widest.Waits, math.MaxInt64)
	}
	_, err := encode(tCall, &widest)
	return err == nil
}

// await repeats the question until there is news; nil once nobody waits. What was asked twice is answered twice: the second
// answer is passed over, and not asked about once more.
func (c *callBook) await(news chan *calledBody, call *callBody, gone <-chan struct{}) *calledBody {
	again := time.NewTicker(c.again)
	defer again.Stop()
	for {
		select {
		case answer := <-news:
			if answer.At == call.Have {
				return answer
			}
		case <-gone:
			return nil
		case <-again.C:
			c.send(tCall, call)
		}
	}
}

// callSlurm serves one connection that asked for a program.
func (d *stepDaemon) callSlurm(f *flow, b *stepCallBody, environ []string) error {
	if d.calls == nil {
		return errors.New("Slurm is asked at the job's first node")
	}
	if !d.begin() {
		return errors.New("the job is ending")
	}
	defer d.done()
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		for {
			_, body, err := f.read()
			if err != nil {
				return
			}
			if took, ok := body.(*tookBody); ok {
				f.acknowledged(took)
			}
		}
	}()
	ask := callRun{Program: b.Program, Args: b.Args, Env: asBytes(environ), Cwd: b.Cwd, Umask: b.Umask, In: b.In}
	if ask.Args == nil {
		ask.Args = []bytes64{}
	}
	if ask.Env == nil {
		ask.Env = []bytes64{}
	}
	end, err := d.calls.run(ask, f.put, gone)
	if err != nil {
		return nil // there is nobody to tell
	}
	if end.Refused != "" {
		return errors.New(end.Refused)
	}
	f.end(stOut)
	f.end(stErr)
	ended := endedBody{}
	if end.Code != nil {
		ended.Code = *end.Code
	} else {
		ended.Signal = *end.Signal
	}
	f.send(tEnded, ended)
	f.finish(nil)
	return nil
}
