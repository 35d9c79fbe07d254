package main

import (
	"sync"
	"sync/atomic"
	"time"
)

// progress counts the bytes of one order that were read or carried. What is done again, because a connection broke off, does not count again: a
// transfer that begins anew for ever makes none.
type progress struct{ total atomic.Int64 }

// mark is how far one content came at most.
type mark struct {
	of *progress
	mu sync.Mutex
	at int64
}

func (p *progress) mark() *mark { return &mark{of: p} }

func (m *mark) reach(at int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if at > m.at {
		m.of.total.Add(at - m.at)
		m.at = at
	}
}

func (m *mark) reached() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.at
}

// tell says every so often how far it came, where it came further; until done.
func (p *progress) tell(every time.Duration, done <-chan struct{}, say func(bytes int64)) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for said := int64(0); ; {
		select {
		case <-done:
			return
		case <-ticker.C:
			if now := p.total.Load(); now > said {
				said = now
				say(now)
			}
		}
	}
}
