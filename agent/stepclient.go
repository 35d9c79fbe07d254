package main

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// stepCall is one process in a pod of this job, as its caller sees it.
type stepCall struct {
	*flow
	rank int
	pid  int
}

// callPatience is how long a pod may take to answer at all: a node that is lost takes the job with it, which the gateway
// sees to, and a pod that is busy is not lost.
const callPatience = 30 * time.Second

// connect tries again: a daemon whose strangers are many may have closed a connection that was ours.
func (t *team) connect(rank int) (*flow, error) {
	give := time.Now().Add(callPatience)
	for pause := 20 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		conn, err := net.DialTimeout("tcp", t.address(rank), 10*time.Second)
		if err == nil {
			var sealed net.Conn
			if sealed, err = handshake(conn, t.key(), roleCaller, rank); err == nil {
				return newFlow(sealed), nil
			}
			conn.Close()
		}
		if errors.Is(err, errWrongKey) || time.Now().After(give) {
			return nil, fmt.Errorf("%s: %w", t.Hosts[rank].Name, err)
		}
		time.Sleep(pause)
	}
}

// call starts a process and returns once it runs.
func (t *team) call(rank int, run *runBody, environ []string) (*stepCall, error) {
	f, err := t.connect(rank)
	if err != nil {
		return nil, err
	}
	sent := make(chan error, 1)
	go func() {
		err := f.put(stEnviron, []byte(strings.Join(environ, "\x00")+"\x00"))
		if err == nil {
			f.send(tRun, run)
		}
		sent <- err
	}()
	for {
		_, body, err := f.read()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", t.Hosts[rank].Name, err)
		}
		switch b := body.(type) {
		case *tookBody:
			f.acknowledged(b)
		case *runningBody:
			return &stepCall{flow: f, rank: rank, pid: b.PID}, nil
		case *bytesBody, bytesBody: // of a process that was fast: RUNNING comes first, so never
			return nil, malformed("output before RUNNING")
		case *errorBody:
			f.close(nil)
			return nil, fmt.Errorf("%s: %s", t.Hosts[rank].Name, b.Text)
		}
	}
}

// hear takes what comes until the process's end. A connection that breaks before has no end to tell.
func (c *stepCall) hear() (endedBody, error) {
	for {
		_, body, err := c.read()
		if err != nil {
			return endedBody{}, err
		}
		switch b := body.(type) {
		case bytesBody:
			if err := c.arrived(b); err != nil {
				c.close(err)
				return endedBody{}, err
			}
		case *tookBody:
			c.acknowledged(b)
		case *endedBody:
			return *b, nil
		case *errorBody:
			c.close(nil)
			return endedBody{}, errors.New(b.Text)
		}
	}
}

// drain hands a channel's bytes to use until its end.
func (c *stepCall) drain(channel int, use func(piece []byte)) {
	for {
		piece := c.take(channel)
		if piece == nil {
			return
		}
		use(piece)
		c.used(channel, len(piece))
	}
}
