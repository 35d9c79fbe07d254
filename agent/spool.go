package main

import (
	"errors"
	"os"
	"sync"
	"syscall"
	"time"
)

const (
	spoolSize = 64 << 20 // section 6: held for the far side, a channel
	freePiece = 1 << 20  // disk is given back in pieces of this size
)

// spool is what one output of the script wrote and the far side has not acknowledged: a ring in a sparse file,
// so that neither memory nor disk ever holds more than its size. When it is full nobody reads the script's pipe,
// and the script waits in write(2), as it would for a slow file server.
type spool struct {
	channel int
	size    int64
	file    *os.File
	retry   time.Duration
	// changed is called when there is more to send, or the end is known.
	changed func()

	mu     sync.Mutex
	room   *sync.Cond
	end    int64 // bytes taken from the pipe
	acked  int64
	sent   int64 // on the connection of now
	resume int64 // where that began
	freed  int64 // disk given back below here; only that may be written over
	closed bool  // the pipe is at its end
	holder *link // the connection that said from where to send
}

func newSpool(channel int, path string, size int64, changed func()) (*spool, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	s := &spool{channel: channel, size: size, file: file, retry: 200 * time.Millisecond, changed: changed}
	s.room = sync.NewCond(&s.mu)
	return s, nil
}

// drain takes everything that comes out of the pipe, to its end.
func (s *spool) drain(pipe *os.File) {
	buf := make([]byte, chunk)
	for {
		room := s.awaitRoom()
		n, err := pipe.Read(buf[:min(room, int64(len(buf)))])
		if n > 0 {
			s.keep(buf[:n])
		}
		if err != nil {
			break
		}
	}
	pipe.Close()
	s.finish()
}

// finish: nothing more will come.
func (s *spool) finish() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.changed()
}

func (s *spool) awaitRoom() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.end-s.freed >= s.size {
		s.room.Wait()
	}
	return s.size - (s.end - s.freed)
}

// keep writes to the ring. A full disk is waited for: what left the pipe exists nowhere else.
func (s *spool) keep(data []byte) {
	for len(data) > 0 {
		s.mu.Lock()
		end := s.end
		s.mu.Unlock()
		at := end % s.size
		n, err := s.file.WriteAt(data[:min(int64(len(data)), s.size-at)], at)
		if n > 0 {
			data = data[n:]
			s.mu.Lock()
			s.end += int64(n)
			s.mu.Unlock()
			s.changed()
		}
		if err != nil {
			time.Sleep(s.retry)
		}
	}
}

var errBeyond = errors.New("beyond what was written")

// resumeAt begins to send from offset. What was acknowledged is gone.
func (s *spool) resumeAt(holder *link, offset int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if offset < s.acked {
		return errGap
	}
	if offset > s.end {
		return errBeyond
	}
	s.sent, s.resume, s.holder = offset, offset, holder
	return nil
}

// next fills buf with a DATA frame for the connection that asks, if it is the one that resumed last.
func (s *spool) next(holder *link, buf []byte) (int, error) {
	s.mu.Lock()
	from := s.sent
	room := min(s.end-from, window-(from-max(s.acked, s.resume)), chunk, s.size-from%s.size)
	mine := s.holder == holder
	s.mu.Unlock()
	if !mine || room <= 0 {
		return 0, nil
	}
	if _, err := s.file.ReadAt(buf[dataHeader:dataHeader+int(room)], from%s.size); err != nil {
		return 0, err
	}
	putDataHeader(buf, s.channel, from, int(room))
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sent != from || s.holder != holder { // resumed anew while we read
		return 0, nil
	}
	s.sent = from + room
	return dataHeader + int(room), nil
}

func (s *spool) acknowledge(offset int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if offset > s.end {
		return errBeyond
	}
	if offset <= s.acked {
		return nil
	}
	s.acked = offset
	s.free()
	s.room.Signal()
	return nil
}

// free gives the disk back below what was acknowledged. Punching needs no more than that the file system can;
// where it cannot, the file stays as large as the ring, and no larger.
func (s *spool) free() {
	if s.acked-s.freed < min(freePiece, s.size/4) && s.acked < s.end {
		return
	}
	for s.freed < s.acked {
		at := s.freed % s.size
		n := min(s.acked-s.freed, s.size-at)
		const keepSize, punchHole = 1, 2
		syscall.Fallocate(int(s.file.Fd()), keepSize|punchHole, at, n)
		s.freed += n
	}
}

// begins is where the spool begins: what is below was acknowledged and is gone.
func (s *spool) begins() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.acked
}

// state gives what the far side must acknowledge, and whether that is final.
func (s *spool) state() (end int64, closed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.end, s.closed
}
