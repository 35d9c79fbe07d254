package main

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"
)

// fakeGateway couples one stand-in with one keeper as protocol/spill.md says, and can be told to cut either leg.
type fakeGateway struct {
	t        testing.TB
	listener net.Listener
	keeper   string // address
	key      []byte
	start    func(*openBody) *startBody

	mu       sync.Mutex
	epoch    int64
	a, b     *link
	open     *openBody
	ready    *readyBody
	started  *startedBody
	exit     *exitBody
	sentExit bool
	bye      bool
	forward  [3]int64 // next offset that leg A is to get
	acked    [3]int64
	data     int64 // bytes of output that passed, repeats included
	errors   []string
	wakeup   chan struct{}
	stopped  bool
	hold     bool // send no EXIT yet
}

var testKey = []byte("0123456789abcdef0123456789abcdef")

func newFakeGateway(t testing.TB, keeper string, start func(*openBody) *startBody) *fakeGateway {
	listener, err := net.Listen("unix", t.TempDir()+"/a")
	if err != nil {
		t.Fatal(err)
	}
	g := &fakeGateway{
		t: t, listener: listener, keeper: keeper, key: testKey, start: start, epoch: 1, wakeup: make(chan struct{}, 1),
	}
	t.Cleanup(g.stop)
	go g.accept()
	go g.keepB()
	return g
}

func (g *fakeGateway) stop() {
	g.mu.Lock()
	g.stopped = true
	g.mu.Unlock()
	g.listener.Close()
	g.cutA()
	g.cutB()
}

func (g *fakeGateway) cutA() { g.cut(func() *link { return g.a }) }
func (g *fakeGateway) cutB() { g.cut(func() *link { return g.b }) }

func (g *fakeGateway) cut(which func() *link) {
	g.mu.Lock()
	l := which()
	g.mu.Unlock()
	if l != nil {
		if tcp, ok := l.conn.(*net.TCPConn); ok {
			tcp.SetLinger(0) // a reset, not an orderly end
		}
		l.close(errors.New("cut by the test"))
	}
}

func (g *fakeGateway) accept() {
	for {
		conn, err := g.listener.Accept()
		if err != nil {
			return
		}
		go g.serveA(conn)
	}
}

func (g *fakeGateway) hello() helloBody {
	g.mu.Lock()
	defer g.mu.Unlock()
	epoch := g.epoch
	return helloBody{V: []int{1}, Role: "gateway", Nonce: newNonce(), Epoch: &epoch}
}

func nothing() int { return 0 }

func (g *fakeGateway) serveA(conn net.Conn) {
	l := newLink(conn, protocolTiming, nothing)
	l.run()
	l.send(tHello, g.hello())
	for {
		_, body, err := l.read()
		if err != nil {
			return
		}
		g.fromA(l, body)
		g.step()
	}
}

func (g *fakeGateway) fromA(l *link, body any) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch b := body.(type) {
	case *openBody:
		if g.a != nil {
			g.a.close(errors.New("replaced"))
		}
		g.a, g.open = l, b
		g.forward = [3]int64{0, b.Have.Out, b.Have.Err}
		if g.b != nil && g.ready != nil {
			l.send(tGo, goBody{g.ready.Have, g.epoch})
			g.b.send(tResume, resumeBody{b.Have})
		} else {
			l.send(tWait, waitBody{"no keeper yet"})
		}
	case dataBody:
		g.toB(b)
	case *closeBody:
		if g.b != nil {
			g.b.send(tClose, b)
		}
	case *ackBody:
		g.acked[b.Channel] = max(g.acked[b.Channel], b.Offset)
		if g.b != nil {
			g.b.send(tAck, b)
		}
	case *signalBody:
		if g.b != nil {
			g.b.send(tSignal, b)
		}
	case *byeBody:
		g.bye = true
		if g.b != nil {
			g.b.send(tBye, byeBody{})
		}
	case *errorBody:
		g.errors = append(g.errors, "A "+b.Code+": "+b.Text)
	}
}

func (g *fakeGateway) toB(d dataBody) {
	if g.b == nil {
		return
	}
	frame := make([]byte, dataHeader+len(d.Data))
	putDataHeader(frame, d.Channel, d.Offset, len(d.Data))
	copy(frame[dataHeader:], d.Data)
	g.b.queueRaw(frame)
}

// keepB connects to the keeper for ever.
func (g *fakeGateway) keepB() {
	for {
		g.mu.Lock()
		stop := g.stopped || g.bye
		g.mu.Unlock()
		if stop {
			return
		}
		conn, err := net.Dial("tcp", g.keeper)
		if err != nil {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		g.serveB(conn)
	}
}

func (g *fakeGateway) serveB(conn net.Conn) {
	l := newLink(conn, protocolTiming, nothing)
	l.run()
	defer l.close(nil)
	own := g.hello()
	l.send(tHello, own)
	if err := authenticateAsGateway(l, g.key, own.Nonce); err != nil {
		return
	}
	for {
		_, body, err := l.read()
		if err != nil {
			g.mu.Lock()
			if g.b == l {
				g.b = nil
			}
			g.mu.Unlock()
			return
		}
		g.fromB(l, body)
		g.step()
	}
}

func authenticateAsGateway(l *link, key []byte, own string) error {
	_, body, err := l.read()
	if err != nil {
		return err
	}
	hello, ok := body.(*helloBody)
	if !ok {
		return fmt.Errorf("%T instead of HELLO", body)
	}
	l.send(tAuth, authBody{authMac(key, "gateway", own, hello.Nonce)})
	if _, body, err = l.read(); err != nil {
		return err
	}
	if e, ok := body.(*errorBody); ok {
		return errors.New(e.Code)
	}
	auth, ok := body.(*authBody)
	if !ok || auth.Mac != authMac(key, "keeper", hello.Nonce, own) {
		return fmt.Errorf("%v is not the keeper's AUTH", body)
	}
	return nil
}

func (g *fakeGateway) fromB(l *link, body any) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch b := body.(type) {
	case *readyBody:
		fresh := g.b != l
		g.b, g.ready = l, b
		if fresh && g.a != nil {
			g.a.send(tGo, goBody{b.Have, g.epoch})
			l.send(tResume, resumeBody{outHave{g.forward[1], g.forward[2]}})
		}
	case dataBody:
		g.toA(b)
	case *ackBody:
		if g.a != nil {
			g.a.send(tAck, b)
		}
	case *signalledBody:
		if g.a != nil {
			g.a.send(tSignalled, b)
		}
	case *startedBody:
		g.started = b
	case *exitBody:
		g.exit = b
	case *errorBody:
		g.errors = append(g.errors, "B "+b.Code+": "+b.Text)
	}
}

// toA forwards what comes next on leg A; what was on its way before a RESUME is not that.
func (g *fakeGateway) toA(d dataBody) {
	g.data += int64(len(d.Data))
	if g.a == nil || d.Offset != g.forward[d.Channel] {
		return
	}
	g.forward[d.Channel] += int64(len(d.Data))
	frame := make([]byte, dataHeader+len(d.Data))
	putDataHeader(frame, d.Channel, d.Offset, len(d.Data))
	copy(frame[dataHeader:], d.Data)
	g.a.queueRaw(frame)
}

// step does what the state asks for: START once all is there, EXIT once all is acknowledged.
func (g *fakeGateway) step() {
	g.mu.Lock()
	defer g.mu.Unlock()
	r := g.ready
	if g.b != nil && r != nil && g.open != nil && r.Closed.Script && r.Closed.Env && r.Main == "ready" && g.started == nil && r.Started == nil {
		g.b.send(tStart, g.start(g.open))
	}
	if g.exit != nil && g.a != nil && !g.hold && g.acked[1] >= g.exit.Ends.Out && g.acked[2] >= g.exit.Ends.Err {
		g.a.send(tExit, g.exit)
	}
	select {
	case g.wakeup <- struct{}{}:
	default:
	}
}

// ended is the EXIT that the keeper sent.
func (g *fakeGateway) ended() exitBody {
	g.t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.exit == nil {
		g.t.Fatal("the keeper sent no EXIT")
	}
	return *g.exit
}

// until waits for a state of the gateway, or fails the test.
func (g *fakeGateway) until(what string, holds func() bool) {
	g.t.Helper()
	deadline := time.After(60 * time.Second)
	for {
		g.mu.Lock()
		done := holds()
		g.mu.Unlock()
		if done {
			return
		}
		select {
		case <-g.wakeup:
		case <-time.After(20 * time.Millisecond):
		case <-deadline:
			g.mu.Lock()
			defer g.mu.Unlock()
			g.t.Fatalf("waited in vain for %s; ready %+v started %+v exit %+v errors %v", what, g.ready, g.started, g.exit, g.errors)
		}
	}
}
