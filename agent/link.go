package main

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// timing is fixed by the protocol; tests shorten it.
type timing struct {
	ping    time.Duration // section 9: one each way this often
	silence time.Duration // so long without any frame ends the connection
	hello   time.Duration // for hello and authentication
}

var protocolTiming = timing{ping: 20 * time.Second, silence: 60 * time.Second, hello: 10 * time.Second}

// lastWords may take this long to be heard.
const lastWords = time.Second

var errEnding = errors.New("the connection is ending")

// maxQueued bounds the control frames waiting to be sent; a far side that takes none of so many is not well.
const maxQueued = 4096

// link is one framed connection. Whoever reads it must never wait for it to be written (both sides doing so
// would stand still for ever), so send only queues, and one goroutine writes.
type link struct {
	conn   net.Conn
	frames *frameReader
	timing timing
	wakeup chan struct{}
	done   chan struct{}
	joined chan struct{} // the writer has ended

	// decode is decode, or decodeInner between main and keeper.
	decode func(typ byte, body []byte) (any, error)
	// nextData fills buffer() with one DATA frame and gives its length, or 0 for nothing to send now.
	nextData func() int
	data     []byte

	mu     sync.Mutex
	queue  []outgoing
	ending bool  // close once the queue is written
	closed bool  // done is closed
	why    error // why it ended
}

// outgoing is one frame, and open files to pass along with it on a unix socket; they are closed once sent.
type outgoing struct {
	frame []byte
	files []*os.File
}

func newLink(conn net.Conn, t timing, nextData func() int) *link {
	return &link{
		conn: conn, frames: newFrameReader(conn), timing: t, decode: decode, nextData: nextData,
		wakeup: make(chan struct{}, 1), done: make(chan struct{}),
		joined: make(chan struct{}),
	}
}

// run starts writing and pinging.
func (l *link) run() {
	go l.write()
	go l.ping()
}

// read gives the next frame, an ERROR of ours already sent when the far side broke the rules. PING is answered
// here, and frames that mean nothing to this version are passed over.
func (l *link) read() (typ byte, body any, err error) {
	for {
		if l.timing.silence > 0 {
			l.conn.SetReadDeadline(time.Now().Add(l.timing.silence))
		}
		typ, raw, err := l.frames.next()
		if err == nil {
			body, err = l.decode(typ, raw)
		}
		if l.isEnding() {
			return 0, nil, errEnding
		}
		var broken *frameError
		if errors.As(err, &broken) && broken.reason != "truncated" {
			l.fail(broken.reason, broken.Error())
		}
		if err != nil {
			l.close(err)
			return 0, nil, err
		}
		switch b := body.(type) {
		case nil:
		case *pingBody:
			if typ == tPing {
				l.send(tPong, b)
			}
		default:
			return typ, body, nil
		}
	}
}

func (l *link) send(typ byte, body any, files ...*os.File) {
	frame, err := encode(typ, body)
	if err != nil {
		l.close(err)
		return
	}
	l.mu.Lock()
	if !l.closed && !l.ending {
		l.queue = append(l.queue, outgoing{frame, files})
	}
	full := len(l.queue) > maxQueued
	l.mu.Unlock()
	if full {
		l.close(errors.New("the far side reads nothing"))
	}
	l.poke()
}

func (l *link) sendBody(typ byte, body any) { l.send(typ, body) }

// queueRaw queues a frame that is encoded already.
func (l *link) queueRaw(frame []byte) {
	l.mu.Lock()
	if !l.closed && !l.ending {
		l.queue = append(l.queue, outgoing{frame: frame})
	}
	l.mu.Unlock()
	l.poke()
}

// poke makes the writer look again at what there is to send.
func (l *link) poke() {
	select {
	case l.wakeup <- struct{}{}:
	default:
	}
}

// fail sends ERROR and closes after it.
func (l *link) fail(code, text string) {
	l.send(tError, errorBody{Code: code, Text: text})
	l.finish(errors.New(code + ": " + text))
}

// finish closes the connection once everything queued is written and the far side closed too, and waits for that.
func (l *link) finish(why error) {
	l.mu.Lock()
	if l.why == nil {
		l.why = why
	}
	l.ending = true
	l.mu.Unlock()
	l.poke()
	select {
	case <-l.done:
	case <-time.After(2 * lastWords): // a far side that does not read must not keep us
		l.close(why)
	}
}

func (l *link) close(why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	if l.why == nil {
		l.why = why
	}
	l.closed = true
	l.queue = nil
	l.conn.Close()
	close(l.done)
}

// buffer is nextData's alone; a connection that is not let in never has one.
func (l *link) buffer() []byte {
	if l.data == nil {
		l.data = make([]byte, dataHeader+chunk)
	}
	return l.data
}

// join closes and waits for the writer's end.
func (l *link) join() {
	l.close(nil)
	<-l.joined
}

func (l *link) isEnding() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ending
}

func (l *link) isClosed() bool { return isDone(l.done) }

func isDone(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func (l *link) write() {
	defer close(l.joined)
	for {
		l.mu.Lock()
		queue, ending := l.queue, l.ending
		l.queue = nil
		l.mu.Unlock()
		for _, out := range queue {
			if err := out.write(l.conn); err != nil {
				l.close(err)
				return
			}
		}
		if ending { // what was queued before is written, and send refuses since
			l.linger()
			return
		}
		if n := l.nextData(); n > 0 {
			if _, err := l.conn.Write(l.data[:n]); err != nil {
				l.close(err)
				return
			}
			continue
		}
		if len(queue) > 0 {
			continue
		}
		select {
		case <-l.wakeup:
		case <-l.done:
			return
		}
	}
}

// linger lets the far side hear our last words: closing a socket at which something unread has arrived, or arrives
// then, resets it, and takes them back from under its reader.
func (l *link) linger() {
	if half, ok := l.conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		l.conn.SetReadDeadline(time.Now().Add(lastWords))
		io.Copy(io.Discard, struct{ io.Reader }{l.conn})
	}
	l.close(nil)
}

func (o outgoing) write(conn net.Conn) error {
	if len(o.files) == 0 {
		_, err := conn.Write(o.frame)
		return err
	}
	fds := make([]int, len(o.files))
	for i, file := range o.files {
		fds[i] = int(file.Fd())
	}
	_, _, err := conn.(*net.UnixConn).WriteMsgUnix(o.frame, syscall.UnixRights(fds...), nil)
	for _, file := range o.files {
		file.Close()
	}
	return err
}

func (l *link) ping() {
	if l.timing.ping == 0 {
		return
	}
	ticker := time.NewTicker(l.timing.ping)
	defer ticker.Stop()
	for n := int64(1); ; n++ {
		select {
		case <-ticker.C:
			l.send(tPing, pingBody{n})
		case <-l.done:
			return
		}
	}
}
