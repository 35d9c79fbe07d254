package main

import (
	"errors"
	"fmt"
	"net"
	"sync"
)

// flow is a sealed connection with the channels of one process on it, each with a window of its own: an output that
// nobody reads holds back its writer, and neither the other channels nor signals nor the end.
type flow struct {
	*link

	mu      sync.Mutex
	changed *sync.Cond
	sent    [channels]int64
	taken   [channels]int64 // of sent, by the other side
	in      [channels]inflow
}

// inflow is what came on a channel and was not yet used.
type inflow struct {
	queue [][]byte
	held  int64
	used  int64
	ended bool
}

var errNoConnection = errors.New("the connection is gone")

func newFlow(conn net.Conn) *flow {
	f := &flow{link: newLink(conn, protocolTiming, func() int { return 0 })}
	f.decode = decodeStep
	f.changed = sync.NewCond(&f.mu)
	f.run()
	go func() {
		<-f.done
		f.mu.Lock()
		f.changed.Broadcast()
		f.mu.Unlock()
	}()
	return f
}

// put sends data, waiting for room.
func (f *flow) put(channel int, data []byte) error {
	for len(data) > 0 {
		piece := data[:min(len(data), stepChunk)]
		f.mu.Lock()
		for f.sent[channel]-f.taken[channel] >= stepWindow && !f.isClosed() {
			f.changed.Wait()
		}
		f.sent[channel] += int64(len(piece))
		f.mu.Unlock()
		if f.isClosed() {
			return errNoConnection
		}
		f.queueRaw(bytesFrame(channel, piece))
		data = data[len(piece):]
	}
	return nil
}

// end tells that a channel has no more.
func (f *flow) end(channel int) { f.queueRaw(bytesFrame(channel, nil)) }

func (f *flow) acknowledged(b *tookBody) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.taken[b.Channel] = max(f.taken[b.Channel], min(b.Bytes, f.sent[b.Channel]))
	f.changed.Broadcast()
}

// arrived keeps a piece until take gets it. More than the window is a breach that would cost memory.
func (f *flow) arrived(b bytesBody) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	in := &f.in[b.Channel]
	switch {
	case len(b.Data) == 0:
		in.ended = true
	case in.ended || in.held+int64(len(b.Data)) > stepWindow+stepChunk:
		return fmt.Errorf("channel %d: more than its window", b.Channel)
	default:
		in.queue = append(in.queue, append([]byte(nil), b.Data...))
		in.held += int64(len(b.Data))
	}
	f.changed.Broadcast()
	return nil
}

// take waits for the next piece; nil is the channel's end. What was taken counts as used.
func (f *flow) take(channel int) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	in := &f.in[channel]
	for len(in.queue) == 0 {
		if in.ended || f.isClosed() {
			return nil
		}
		f.changed.Wait()
	}
	piece := in.queue[0]
	in.queue = in.queue[1:]
	return piece
}

// used gives the other side room for n bytes more.
func (f *flow) used(channel, n int) {
	f.mu.Lock()
	in := &f.in[channel]
	in.held -= int64(n)
	in.used += int64(n)
	all := in.used
	f.mu.Unlock()
	f.send(tTook, tookBody{channel, all})
}
