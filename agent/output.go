package main

import (
	"errors"
	"sync"
	"syscall"
	"time"
)

// output is one of the stand-in's descriptors 1 and 2. Bytes come in by offset from whichever connection, once;
// a goroutine of its own writes them, because a write may hang for as long as a file server does, and the
// connection must stay alive meanwhile.
type output struct {
	fd    int
	retry time.Duration
	write func(fd int, p []byte) (int, error)
	// progress is called after each write with what was written so far.
	progress func(written int64)

	mu       sync.Mutex
	changed  *sync.Cond
	ring     []byte // received, not yet written
	start    int    // of the first byte in ring
	filled   int
	received int64
	written  int64
}

func newOutput(fd int, progress func(int64)) *output {
	o := &output{fd: fd, retry: 200 * time.Millisecond, write: syscall.Write, progress: progress}
	o.changed = sync.NewCond(&o.mu)
	return o
}

var errGap = errors.New("gap")

// take gives bytes at offset to the writer and drops those it already had. It waits for room.
func (o *output) take(offset int64, data []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if offset > o.received {
		return errGap
	}
	if had := o.received - offset; had > 0 {
		data = data[min(had, int64(len(data))):]
	}
	for len(data) > 0 {
		for o.ring != nil && o.filled == len(o.ring) {
			o.changed.Wait()
		}
		n := o.put(data)
		data = data[n:]
		o.received += int64(n)
		o.changed.Broadcast()
	}
	return nil
}

// ringSize is less than the protocol's window: hundreds of stand-ins share a host. When it is full the
// connection's reader waits; frames of our own still go out, so nobody takes that for silence.
const ringSize = 256 << 10

// put copies what fits in one piece.
func (o *output) put(data []byte) int {
	if o.ring == nil {
		o.ring = anonymous(ringSize)
	}
	if o.filled == 0 {
		o.start = 0 // touches less memory
	}
	at := (o.start + o.filled) % len(o.ring)
	end := len(o.ring)
	if at < o.start {
		end = o.start
	}
	n := copy(o.ring[at:end], data)
	o.filled += n
	return n
}

// anonymous memory takes only the pages that are touched, and is none of the garbage collector's business.
func anonymous(size int) []byte {
	memory, err := syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return make([]byte, size)
	}
	return memory
}

// run writes for as long as the process lives.
func (o *output) run() {
	for {
		o.mu.Lock()
		for o.filled == 0 {
			o.changed.Wait()
		}
		piece := o.ring[o.start:min(o.start+o.filled, len(o.ring), o.start+chunk)]
		o.mu.Unlock()
		o.writeAll(piece)
		o.mu.Lock()
		o.start = (o.start + len(piece)) % len(o.ring)
		o.filled -= len(piece)
		o.written += int64(len(piece))
		written := o.written
		o.changed.Broadcast()
		o.mu.Unlock()
		o.progress(written)
	}
}

// writeAll comes back when every byte is written. For want of space it waits, and with it, through the missing
// acknowledgements, the writer in the pod. What can never be written (a reader that went away) is let go: waiting
// would keep a job that has ended from ending.
func (o *output) writeAll(piece []byte) {
	pause := o.retry
	for len(piece) > 0 {
		n, err := o.write(o.fd, piece)
		if n > 0 {
			piece = piece[n:]
			pause = o.retry
		}
		if err == nil || err == syscall.EINTR {
			continue
		}
		if !mayPass(err) {
			return
		}
		if err == syscall.EAGAIN { // a descriptor that somebody left non-blocking: room comes soon
			time.Sleep(5 * time.Millisecond)
			continue
		}
		time.Sleep(pause)
		pause = min(2*pause, 5*time.Second)
	}
}

func mayPass(err error) bool {
	switch err {
	case syscall.ENOSPC, syscall.EDQUOT, syscall.EIO, syscall.EAGAIN, syscall.ESTALE, syscall.ENOMEM, syscall.ENOBUFS,
		syscall.ETIMEDOUT, syscall.ENOLCK, syscall.EROFS, syscall.EHOSTDOWN, syscall.EHOSTUNREACH, syscall.ENETDOWN,
		syscall.ENETUNREACH, syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EREMOTEIO:
		return true
	}
	return false
}

func (o *output) position() int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.written
}
