package main

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"reflect"
	"time"
)

const maxUnauthenticated = 8

func (k *keeper) acceptGateways() {
	for {
		conn, err := k.tcp.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			logLine("keeper: accept: %v", err)
			time.Sleep(100 * time.Millisecond)
			continue
		}
		k.mu.Lock()
		full := k.unauth >= maxUnauthenticated
		if !full {
			k.unauth++
		}
		k.mu.Unlock()
		if full { // the job shares this loopback and may try
			conn.Close()
			continue
		}
		go k.hearGateway(conn)
	}
}

// hearGateway serves one connection. Nothing is said to one without the key but HELLO.
func (k *keeper) hearGateway(conn net.Conn) {
	l := newLink(conn, k.config.timing, nil)
	l.nextData = func() int { return k.forGateway(l) }
	l.frames.limit = 4096 // a stranger gets no megabyte of ours
	timeout := time.AfterFunc(k.config.timing.hello, func() { l.close(errors.New("not authenticated in time")) })
	l.run()
	epoch, err := k.authenticate(l)
	timeout.Stop()
	k.mu.Lock()
	k.unauth--
	k.mu.Unlock()
	if err == nil {
		err = k.welcome(l, epoch)
	}
	for err == nil {
		var typ byte
		var body any
		if typ, body, err = l.read(); err == nil && !l.isClosed() {
			k.handle(l, typ, body)
		}
	}
	l.join()
	k.mu.Lock()
	if k.gateway == l {
		k.gateway = nil
	}
	k.mu.Unlock()
	k.endIfUseless()
}

// authenticate is sections 2 and 3. The epoch counts only once the key was shown: anybody could claim a high one.
func (k *keeper) authenticate(l *link) (epoch int64, err error) {
	own := newNonce()
	l.send(tHello, helloBody{V: []int{protocolVersion}, Role: "keeper", Nonce: own})
	typ, body, err := l.read()
	if err != nil {
		return 0, err
	}
	hello, ok := body.(*helloBody)
	if !ok || hello.Role != "gateway" {
		return 0, k.breach(l, fmt.Sprintf("type %d instead of a gateway's HELLO", typ))
	}
	if !speaks(hello.V) {
		text := fmt.Sprintf("this keeper speaks version %d, the gateway %v", protocolVersion, hello.V)
		l.fail("version", text)
		return 0, errors.New(text)
	}
	if typ, body, err = l.read(); err != nil {
		return 0, err
	}
	auth, ok := body.(*authBody)
	if !ok {
		return 0, k.breach(l, fmt.Sprintf("type %d instead of AUTH", typ))
	}
	want := authMac(k.config.key, "gateway", hello.Nonce, own)
	if subtle.ConstantTimeCompare([]byte(want), []byte(auth.Mac)) != 1 {
		return 0, errors.New("wrong key")
	}
	if hello.Epoch != nil {
		epoch = *hello.Epoch
	}
	k.mu.Lock()
	accepted := k.epochs.accept(epoch)
	k.mu.Unlock()
	if !accepted {
		l.fail("stale_epoch", "a later leader was heard")
		return 0, errors.New("stale epoch")
	}
	l.send(tAuth, authBody{Mac: authMac(k.config.key, "keeper", own, hello.Nonce)})
	return epoch, nil
}

func (k *keeper) breach(l *link, text string) error {
	l.fail("malformed", text)
	return errors.New(text)
}

// welcome takes the place of the connection before, and says how things stand.
func (k *keeper) welcome(l *link, epoch int64) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	l.frames.limit = maxFrame
	if epoch < k.epochs.highest { // another came in between
		return errors.New("stale epoch")
	}
	if k.gateway != nil {
		k.gateway.close(errors.New("replaced by a new connection"))
	}
	k.gateway = l
	l.send(tReady, k.ready())
	if k.started != nil { // it may be another gateway than the one that was told
		l.send(tStarted, k.started)
	}
	if k.exit != nil {
		l.send(tExit, k.exit)
	}
	return nil
}

func (k *keeper) ready() readyBody {
	r := readyBody{Main: k.main, Fault: k.fault, Exited: k.exit != nil, Stages: true, Ranks: true}
	r.Acked = &outHave{k.out[chOut].begins(), k.out[chErr].begins()}
	r.Have.Script, r.Closed.Script = k.script.state()
	r.Have.Env, r.Closed.Env = k.env.state()
	if k.start != nil {
		r.Started = &k.start.Grant
	}
	return r
}

func (k *keeper) tellReady() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.gateway != nil {
		k.gateway.send(tReady, k.ready())
	}
}

// answer goes to the gateway of now; one that is away asks again when it is back.
func (k *keeper) answer(typ byte, body any) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.gateway != nil {
		k.gateway.send(typ, body)
	}
}

func (k *keeper) handle(l *link, typ byte, body any) {
	switch b := body.(type) {
	case dataBody:
		k.takeData(l, b)
	case *closeBody:
		k.takeClose(l, b)
	case *startBody:
		k.takeStart(l, b)
	case *resumeBody:
		for channel, offset := range map[int]int64{chOut: b.Have.Out, chErr: b.Have.Err} {
			if err := k.out[channel].resumeAt(l, offset); err != nil {
				l.fail("gap", fmt.Sprintf("channel %d cannot go on at %d: %v", channel, offset, err))
				return
			}
		}
		l.poke()
	case *ackBody:
		if b.Channel != chOut && b.Channel != chErr {
			l.fail("malformed", fmt.Sprintf("ACK of channel %d", b.Channel))
		} else if err := k.out[b.Channel].acknowledge(b.Offset); err != nil {
			l.fail("malformed", fmt.Sprintf("ACK of channel %d at %d: %v", b.Channel, b.Offset, err))
		}
		l.poke()
	case *signalBody:
		k.takeSignal(l, b)
	case *stageBody:
		k.takeStage(b)
	case *signedBody:
		k.toMain(tSigned, b)
	case *calledBody:
		k.toMain(tCalled, b)
	case *byeBody:
		k.takeBye(l)
	case *errorBody:
		l.close(errors.New(b.Code + ": " + b.Text))
	default:
		l.fail("malformed", fmt.Sprintf("a keeper takes no type %d", typ))
	}
}

func (k *keeper) inbox(channel int) *inbox {
	switch channel {
	case chScript:
		return k.script
	case chEnv:
		return k.env
	}
	return nil
}

func (k *keeper) takeData(l *link, d dataBody) {
	in := k.inbox(d.Channel)
	if in == nil {
		l.fail("malformed", fmt.Sprintf("DATA of channel %d", d.Channel))
		return
	}
	have, err := in.take(d)
	switch {
	case errors.Is(err, errGap):
		l.fail("gap", fmt.Sprintf("channel %d goes on at %d, not at %d", d.Channel, have, d.Offset))
	case err != nil:
		l.fail("spool", fmt.Sprintf("channel %d: %v", d.Channel, err))
	default:
		l.send(tAck, ackBody{d.Channel, have})
	}
}

func (k *keeper) takeClose(l *link, c *closeBody) {
	switch err := k.inbox(c.Channel).end(*c); {
	case errors.Is(err, errGap):
		l.fail("gap", fmt.Sprintf("channel %d was closed at %d", c.Channel, c.Size))
	case err != nil:
		l.fail("checksum", fmt.Sprintf("channel %d: %v", c.Channel, err))
	default:
		k.tellReady()
	}
}

func (k *keeper) takeStart(l *link, start *startBody) {
	// Two connections must not both find that nothing was granted.
	k.starting.Lock()
	defer k.starting.Unlock()
	_, script := k.script.state()
	_, env := k.env.state()
	k.mu.Lock()
	kept, started, fault, refused, current := k.start, k.started, k.fault, k.main == "refused", k.gateway == l
	k.mu.Unlock()
	switch {
	case !current: // replaced while this frame was on its way
	case kept != nil && !reflect.DeepEqual(kept.Grant, start.Grant):
		l.fail("already_granted", fmt.Sprintf("attempt %s of burst %s has the grant", kept.Grant.Attempt, kept.Grant.Burst))
	case kept != nil:
		if started != nil {
			l.send(tStarted, started)
		}
	case refused:
		l.fail("main_refused", fault)
	case (!script || !env) && !start.isHelper():
		l.fail("not_closed", "script and environment are not here yet")
	case int(start.User.UID) != k.config.uid:
		l.fail("wrong_user", fmt.Sprintf("this pod is uid %d's, not %d's", k.config.uid, start.User.UID))
	default:
		if err := writeEtc(k.config.etc, start); err != nil {
			l.fail("spool", fmt.Sprintf("etc: %v", err))
			return
		}
		if err := k.recordGrant(start); err != nil {
			l.fail("spool", fmt.Sprintf("grant: %v", err))
			return
		}
		k.mu.Lock()
		k.start = start
		gone := k.mainGone
		k.mu.Unlock()
		k.limitTime(start)
		k.warn(start)
		k.handStart()
		k.tellReady()
		if gone { // it ended in this very moment
			k.concludeIfDrained()
		}
	}
}

func (k *keeper) takeSignal(l *link, s *signalBody) {
	k.mu.Lock()
	fresh := k.applied.add(s.ID)
	running := k.started != nil && k.exited == nil && !k.mainGone
	k.mu.Unlock()
	if fresh {
		k.signalMain(*s)
	}
	// A running main answers by itself once it has applied it; else it waits for the start, or has nothing to hit.
	if !fresh || !running {
		l.send(tSignalled, signalledBody{ID: s.ID})
	}
}

// takeBye: the end is committed. Output that nobody acknowledged is nobody's any more.
func (k *keeper) takeBye(l *link) {
	k.mu.Lock()
	early := k.start != nil && k.exit == nil
	k.mu.Unlock()
	if early {
		l.fail("not_ended", "BYE before EXIT")
		return
	}
	l.finish(nil)
	k.end()
}

// forGateway takes from both outputs in turn.
func (k *keeper) forGateway(l *link) int {
	k.mu.Lock()
	current := k.gateway == l
	k.mu.Unlock()
	if !current {
		return 0
	}
	for _, channel := range k.turns() {
		n, err := k.out[channel].next(l, l.buffer())
		if err != nil {
			l.close(fmt.Errorf("spool: %w", err))
			return 0
		}
		if n > 0 {
			return n
		}
	}
	return 0
}

// turns is asked by one writer at a time for the most part; a race would cost fairness, nothing else.
func (k *keeper) turns() [2]int {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.errFirst = !k.errFirst
	if k.errFirst {
		return [2]int{chErr, chOut}
	}
	return [2]int{chOut, chErr}
}

func (k *keeper) outputChanged() {
	k.mu.Lock()
	l := k.gateway
	k.mu.Unlock()
	if l != nil {
		l.poke()
	}
}
