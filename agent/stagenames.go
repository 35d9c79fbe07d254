package main

import (
	"crypto/sha256"
	"strings"
	"sync"
)

// names remembers files of a tree by a hash of 128 bits each, with a number: a million of them take tens of MB and not hundreds. A nil one
// remembers nothing.
type names struct {
	mu sync.Mutex
	of map[[16]byte]int64
}

func newNames() *names { return &names{of: map[[16]byte]int64{}} }

// note keeps the first number that is noted of it.
func (n *names) note(number int64, what ...string) {
	if n == nil {
		return
	}
	key := nameKey(what)
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, is := n.of[key]; !is {
		n.of[key] = number
	}
}

func (n *names) number(what ...string) (number int64, is bool) {
	if n == nil {
		return 0, false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	number, is = n.of[nameKey(what)]
	return number, is
}

// nameKey: a NUL stands in no path and in no hash.
func nameKey(what []string) [16]byte {
	sum := sha256.Sum256([]byte(strings.Join(what, "\x00")))
	return [16]byte(sum[:16])
}

// content is what an entry is but for its name, mode and time.
func (e *entry) content() string {
	if e.Type == "l" {
		return "l" + string(e.To)
	}
	return e.Sum
}
