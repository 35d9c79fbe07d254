package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// stager does what STAGE asks of this side: the stand-in on the burst host, main in the pod, both as the job's user.
type stager struct {
	// send reaches the gateway, if it is there; what is lost is asked for again.
	send func(typ byte, body any)
	// say writes a line for the job's owner; nil where there is nowhere to.
	say func(line string)
	// ended: nothing more is asked.
	ended func()
	// sync: before a fetch is reported, all of it is on the disk.
	sync                           bool
	pause, patience, stall, repeat time.Duration
	tell                           time.Duration // how far an order came

	mu     sync.Mutex
	order  *stageBody
	answer *stagedBody
	cancel context.CancelFunc
	done   chan struct{}
	asks   map[int64]*asked
	// brought is what the newest stage-in put here: as it was then it is no result.
	brought *names
	asking  int64
}

// asked is a question that nobody answered yet.
type asked struct {
	body   blobsBody
	answer chan []signedBlob
}

func newStager(send func(typ byte, body any)) *stager {
	return &stager{
		send: send, pause: time.Second, patience: 10 * time.Minute, stall: 2 * time.Minute, repeat: 15 * time.Second,
		tell: 15 * time.Second,
		asks: map[int64]*asked{},
	}
}

// take is STAGE. The same order again comes over a new connection, on which what was lost is said again.
func (s *stager) take(b *stageBody) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.order != nil && s.order.ID == b.ID {
		for _, a := range s.asks {
			s.send(tBlobs, a.body)
		}
		if s.answer != nil {
			s.send(tStaged, s.answer)
		}
		return
	}
	before := s.done
	if s.cancel != nil {
		s.cancel()
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.order, s.answer, s.cancel, s.done, s.asks = b, nil, cancel, make(chan struct{}), map[int64]*asked{}
	go s.work(ctx, b, before, s.done)
}

// stop ends what is under way; nobody is told.
func (s *stager) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cancel != nil {
		s.cancel()
	}
}

func (s *stager) work(ctx context.Context, order *stageBody, before, done chan struct{}) {
	defer close(done)
	if before != nil {
		<-before // two must not write at once
	}
	if s.say != nil {
		for _, line := range order.Say {
			s.say(line)
		}
	}
	answer := s.carry(ctx, order)
	if s.say != nil {
		for _, line := range answer.Told {
			s.say(line)
		}
	}
	s.mu.Lock()
	current := s.order == order
	if current {
		s.answer = answer
		s.send(tStaged, answer)
	}
	s.mu.Unlock()
	if current && order.Way == wayNone && s.ended != nil {
		s.ended()
	}
}

func (s *stager) carry(ctx context.Context, order *stageBody) *stagedBody {
	answer, told := &stagedBody{ID: order.ID, Told: []string{}}, &lines{}
	c := &carrier{
		sign: s.ask, pause: s.pause, patience: s.patience, stall: s.stall,
		slots: make(chan struct{}, parallel), progress: &progress{},
	}
	over := make(chan struct{})
	defer close(over)
	go c.progress.tell(s.tell, over, func(bytes int64) { s.send(tCarried, &carriedBody{order.ID, bytes}) })
	var err error
	switch order.Way {
	case wayIn:
		c.client = newClient(order.Roots)
		job := &sending{order: order, carrier: c, told: told, brought: s.brought, inMemory: !s.sync}
		var blob blobBody
		if blob, err = job.run(ctx); err == nil {
			answer.Manifest = &blob
		}
		answer.Files, answer.Bytes = job.files, job.bytes
	case wayOut:
		c.client = newClient(order.Roots)
		job := &fetching{order: order, carrier: c, told: told, sync: s.sync}
		if order.Strict {
			s.brought = newNames()
			job.brought = s.brought
		}
		err = job.run(ctx)
		answer.Files, answer.Bytes = job.files, job.bytes
	}
	if c.client != nil {
		c.client.CloseIdleConnections()
	}
	if err != nil {
		answer.Fault = cut(err.Error(), 1000)
	}
	for _, line := range told.all() {
		answer.Told = append(answer.Told, cut(line, 1000))
	}
	return answer
}

func cut(text string, most int) string {
	if len(text) > most {
		return shown(text[:most]) + "…"
	}
	return shown(text)
}

// ask has one URL signed. A gateway that is away, or cannot say yet, is asked again.
func (s *stager) ask(ctx context.Context, q question) (signedBlob, error) {
	s.mu.Lock()
	if ctx.Err() != nil || s.order == nil {
		s.mu.Unlock()
		return signedBlob{}, context.Canceled
	}
	s.asking++
	n := s.asking
	blob := askedBlob{q.blob.Sha256, q.blob.Size, int64(q.parts), q.part}
	a := &asked{blobsBody{s.order.ID, n, q.method, []askedBlob{blob}, q.list}, make(chan []signedBlob, 1)}
	s.asks[n] = a
	s.send(tBlobs, a.body)
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.asks, n)
		s.mu.Unlock()
	}()
	again := time.NewTicker(s.repeat)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return signedBlob{}, ctx.Err()
		case <-again.C:
			s.send(tBlobs, a.body)
		case answer := <-a.answer:
			for _, one := range answer {
				if one.Sha256 == blob.Sha256 {
					return one, nil
				}
			}
			return signedBlob{}, errors.New("the gateway answered something else than it was asked")
		}
	}
}

// signed is SIGNED; one that answers nothing that is asked now came twice.
func (s *stager) signed(b *signedBody) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.order == nil || s.order.ID != b.ID {
		return
	}
	if a := s.asks[b.N]; a != nil {
		select {
		case a.answer <- b.Blobs:
		default:
		}
	}
}

func sayStaged(line string) string { return fmt.Sprintf("spillway: %s\n", line) }
