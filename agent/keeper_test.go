package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// keeperBench is a keeper in this process, with the test as its main and as its gateway.
type keeperBench struct {
	t *testing.T
	*keeper
	ended chan struct{}
}

func startKeeper(t *testing.T, change func(*keeperConfig)) *keeperBench {
	t.Helper()
	dir, err := os.MkdirTemp("", "keeper")
	if err != nil {
		t.Fatal(err)
	}
	// Not t.TempDir, which fails if a keeper's last record comes at this moment.
	t.Cleanup(func() { await(t, "the folder to go", func() bool { return os.RemoveAll(dir) == nil }) })
	config := keeperConfig{
		socket: dir + "/keeper.sock", listen: "127.0.0.1:0", key: testKey, dir: dir + "/spool", uid: os.Getuid(),
		spool: 1 << 20, timing: protocolTiming, nowMs: func() int64 { return 1000 },
	}
	if change != nil {
		change(&config)
	}
	k, err := newKeeper(config)
	if err != nil {
		t.Fatal(err)
	}
	b := &keeperBench{t: t, keeper: k, ended: make(chan struct{})}
	go func() { k.serve(); close(b.ended) }()
	t.Cleanup(func() { k.end(); <-b.ended })
	return b
}

func (b *keeperBench) dial() *link {
	b.t.Helper()
	conn, err := net.Dial("tcp", b.tcp.Addr().String())
	if err != nil {
		b.t.Fatal(err)
	}
	l := newLink(conn, protocolTiming, nothing)
	l.run()
	b.t.Cleanup(func() { l.close(nil) })
	return l
}

// gateway is an authenticated connection; it gives the first READY too.
func (b *keeperBench) gateway(epoch int64) (*link, *readyBody) {
	b.t.Helper()
	l := b.dial()
	hello := helloBody{V: []int{1}, Role: "gateway", Nonce: newNonce(), Epoch: &epoch}
	l.send(tHello, hello)
	if err := authenticateAsGateway(l, testKey, hello.Nonce); err != nil {
		b.t.Fatal(err)
	}
	return l, expect[*readyBody](b.t, l)
}

// expect gives the next frame of a type; others may come before it.
func expect[T any](t *testing.T, l *link) T {
	t.Helper()
	for {
		l.conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		_, body, err := l.read()
		if err != nil {
			var none T
			t.Fatalf("%T did not come: %v", none, err)
		}
		if b, ok := body.(T); ok {
			return b
		}
	}
}

func expectError(t *testing.T, l *link, code string) {
	t.Helper()
	if e := expect[*errorBody](t, l); e.Code != code {
		t.Fatalf("ERROR %s (%s) instead of %s", e.Code, e.Text, code)
	}
	expectClosed(t, l)
}

func expectClosed(t *testing.T, l *link) {
	t.Helper()
	for {
		l.conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		if _, _, err := l.read(); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatal("the connection stays open")
			}
			return
		}
	}
}

func sendData(l *link, channel int, offset int64, data string) {
	frame := append(make([]byte, dataHeader), data...)
	putDataHeader(frame, channel, offset, len(data))
	l.queueRaw(frame)
}

func closing(channel int, data string) closeBody {
	sum := sha256.Sum256([]byte(data))
	return closeBody{channel, int64(len(data)), hex.EncodeToString(sum[:])}
}

const benchScript, benchEnv = "#!/bin/sh\necho hi\n", "A=1\x00B=2\x00"

// feed sends script and environment.
func feed(t *testing.T, l *link) {
	t.Helper()
	sendData(l, chScript, 0, benchScript)
	sendData(l, chEnv, 0, benchEnv)
	l.send(tClose, closing(chScript, benchScript))
	l.send(tClose, closing(chEnv, benchEnv))
	for {
		if r := expect[*readyBody](t, l); r.Closed.Script && r.Closed.Env {
			return
		}
	}
}

func benchStart() *startBody {
	return startLike(&openBody{Argv: []bytes64{}, Cwd: bytes64("/"), Limits: rlimits{}})
}

// benchMain is main's end of the unix socket.
func (b *keeperBench) mainConn(fault string) *link {
	b.t.Helper()
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: b.config.socket, Net: "unix"})
	if err != nil {
		b.t.Fatal(err)
	}
	l := newInnerLink(conn, nothing)
	l.run()
	b.t.Cleanup(func() { l.close(nil) })
	l.send(tInnerMain, innerMain{PID: 1, Fault: fault})
	return l
}

// run has main take START and hand over its pipes; it gives their write ends.
func (b *keeperBench) run(main *link) (stdout, stderr *os.File) {
	b.t.Helper()
	expect[*startBody](b.t, main)
	for closed := 0; closed < 2; closed++ {
		expect[*closeBody](b.t, main)
	}
	readers, writers, err := outputPipes(false)
	if err != nil {
		b.t.Fatal(err)
	}
	main.send(tInnerPipes, innerPipes{2}, readers...)
	main.send(tInnerStarted, innerStarted{PID: 7})
	b.t.Cleanup(func() { writers[0].Close(); writers[1].Close() })
	return writers[0], writers[1]
}

func TestWithoutTheKeyNothingIsSaid(t *testing.T) {
	b := startKeeper(t, nil)
	l := b.dial()
	nonce := newNonce()
	l.send(tHello, helloBody{V: []int{1}, Role: "gateway", Nonce: nonce})
	hello := expect[*helloBody](t, l)
	l.send(tAuth, authBody{authMac([]byte("another key"), "gateway", nonce, hello.Nonce)})
	if _, body, err := l.read(); err == nil {
		t.Fatalf("%+v was said", body)
	}
}

func TestAMacIsNotTakenInTheOtherRole(t *testing.T) {
	b := startKeeper(t, nil)
	l := b.dial()
	nonce := newNonce()
	l.send(tHello, helloBody{V: []int{1}, Role: "gateway", Nonce: nonce})
	hello := expect[*helloBody](t, l)
	l.send(tAuth, authBody{authMac(testKey, "keeper", nonce, hello.Nonce)})
	expectClosed(t, l)
}

func TestBeforeAuthenticationOnlyHelloAndAuthAreHeard(t *testing.T) {
	for typ, body := range map[byte]any{tStart: benchStart(), tBye: byeBody{}, tResume: resumeBody{}} {
		b := startKeeper(t, nil)
		l := b.dial()
		l.send(tHello, helloBody{V: []int{1}, Role: "gateway", Nonce: newNonce()})
		l.send(typ, body)
		expectError(t, l, "malformed")
		if isDone(b.over) {
			t.Errorf("type %d ended the keeper", typ)
		}
	}
}

func TestAStrangersLargeFrameIsRefused(t *testing.T) {
	b := startKeeper(t, nil)
	l := b.dial()
	l.send(tHello, helloBody{V: []int{1}, Role: strings.Repeat("x", 100_000), Nonce: newNonce()})
	expectError(t, l, "too_long")
}

func TestAVersionThatNobodySpeaksIsAnError(t *testing.T) {
	b := startKeeper(t, nil)
	l := b.dial()
	l.send(tHello, helloBody{V: []int{2, 3}, Role: "gateway", Nonce: newNonce()})
	expectError(t, l, "version")
}

func TestAtMostEightWaitForAuthenticationAndNotForLong(t *testing.T) {
	b := startKeeper(t, func(c *keeperConfig) { c.timing.hello = 300 * time.Millisecond })
	var open []*link
	for range maxUnauthenticated {
		l := b.dial()
		expect[*helloBody](t, l)
		open = append(open, l)
	}
	ninth := b.dial()
	if _, body, err := ninth.read(); err == nil {
		t.Fatalf("the ninth is told %+v", body)
	}
	for _, l := range open {
		expectClosed(t, l)
	}
	// A connection that could not be tried before gets in now.
	await(t, "room", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.unauth == 0
	})
	b.gateway(1)
}

func TestTornAndWildConnectionsLeaveTheKeeperWell(t *testing.T) {
	b := startKeeper(t, nil)
	good, err := encode(tHello, helloBody{V: []int{1}, Role: "gateway", Nonce: newNonce()})
	if err != nil {
		t.Fatal(err)
	}
	wild := [][]byte{{}, {0}, {0, 0, 0, 0}, {255, 255, 255, 255}, good[:3], good[:len(good)-1], append(good, 9, 9, 9), []byte("GET / HTTP/1.1\r\n\r\n")}
	for _, bytes := range wild {
		conn, err := net.Dial("tcp", b.tcp.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		conn.Write(bytes)
		conn.(*net.TCPConn).CloseWrite()
		io.Copy(io.Discard, conn)
		conn.Close()
	}
	b.gateway(1)
}

func TestANewConnectionReplacesTheOldAndAnOlderLeaderIsRefused(t *testing.T) {
	b := startKeeper(t, nil)
	first, _ := b.gateway(5)
	second, _ := b.gateway(5)
	expectClosed(t, first)
	third, _ := b.gateway(6)
	expectClosed(t, second)
	stale := b.dial()
	epoch := int64(5)
	hello := helloBody{V: []int{1}, Role: "gateway", Nonce: newNonce(), Epoch: &epoch}
	stale.send(tHello, hello)
	if err := authenticateAsGateway(stale, testKey, hello.Nonce); err == nil || err.Error() != "stale_epoch" {
		t.Fatalf("got %v", err)
	}
	third.send(tPing, pingBody{1})
	third.send(tResume, resumeBody{})
	feed(t, third) // still served
}

// A job could claim any epoch on the loopback; without the key it must count for nothing.
func TestAnEpochCountsOnlyWithTheKey(t *testing.T) {
	b := startKeeper(t, nil)
	l := b.dial()
	high, nonce := int64(1<<40), newNonce()
	l.send(tHello, helloBody{V: []int{1}, Role: "gateway", Nonce: nonce, Epoch: &high})
	l.send(tAuth, authBody{authMac([]byte("no"), "gateway", nonce, nonce)})
	expectClosed(t, l)
	b.gateway(1)
}

func TestScriptAndEnvironmentResumeByOffset(t *testing.T) {
	b := startKeeper(t, nil)
	l, ready := b.gateway(1)
	if ready.Main != "absent" || ready.Have.Script != 0 {
		t.Fatalf("%+v", ready)
	}
	sendData(l, chScript, 0, "#!/bin")
	if ack := expect[*ackBody](t, l); ack.Offset != 6 || ack.Channel != chScript {
		t.Fatalf("%+v", ack)
	}
	l, ready = b.gateway(1)
	if ready.Have.Script != 6 {
		t.Fatalf("%+v", ready)
	}
	sendData(l, chScript, 2, "/bin/sh\n") // overlaps
	if ack := expect[*ackBody](t, l); ack.Offset != 10 {
		t.Fatalf("%+v", ack)
	}
	l.send(tClose, closing(chScript, "#!/bin/sh\n"))
	for !expect[*readyBody](t, l).Closed.Script {
	}
	l.send(tClose, closing(chScript, "#!/bin/sh\n")) // a CLOSE is repeated after each GO
	expect[*readyBody](t, l)
	sendData(l, chEnv, 1, "x")
	expectError(t, l, "gap")
}

func TestAWrongChecksumBeginsTheChannelAnew(t *testing.T) {
	b := startKeeper(t, nil)
	l, _ := b.gateway(1)
	sendData(l, chScript, 0, "torn")
	l.send(tClose, closing(chScript, "good"))
	expectError(t, l, "checksum")
	l, ready := b.gateway(1)
	if ready.Have.Script != 0 || ready.Closed.Script {
		t.Fatalf("%+v", ready)
	}
	feed(t, l)
}

func TestStartWaitsForScriptAndEnvironment(t *testing.T) {
	b := startKeeper(t, nil)
	l, _ := b.gateway(1)
	l.send(tStart, benchStart())
	expectError(t, l, "not_closed")
}

func TestTheGrantIsKeptAndThereIsNoSecond(t *testing.T) {
	b := startKeeper(t, nil)
	main := b.mainConn("")
	l, _ := b.gateway(1)
	feed(t, l)
	l.send(tStart, benchStart())
	b.run(main)
	started := expect[*startedBody](t, l)
	if started.PID != 7 || started.At != 1000 {
		t.Fatalf("%+v", started)
	}
	// The same one again, on another connection: the same answer, and main hears nothing.
	l, ready := b.gateway(2)
	if ready.Started == nil || ready.Started.Attempt != "a1" {
		t.Fatalf("%+v", ready)
	}
	for range 2 { // by itself, to a gateway that may be another one, and as the answer
		if again := expect[*startedBody](t, l); *again != *started {
			t.Fatalf("%+v", again)
		}
		l.send(tStart, benchStart())
	}
	other := benchStart()
	other.Grant.Attempt = "a2"
	l.send(tStart, other)
	expectError(t, l, "already_granted")
	// Should the container be restarted after all, what was granted is known.
	if text := read(t, b.grantPath()); !strings.Contains(text, `"attempt":"a1"`) {
		t.Fatal(text)
	}
	restarted := startKeeper(t, func(c *keeperConfig) { c.dir = b.config.dir })
	l, ready = restarted.gateway(1)
	if ready.Main != "refused" || ready.Started == nil {
		t.Fatalf("%+v", ready)
	}
	l.send(tStart, other)
	expectError(t, l, "already_granted")
}

func TestOutputStaysUntilAcknowledgedAndTheEndUntilBye(t *testing.T) {
	b := startKeeper(t, nil)
	main := b.mainConn("")
	l, _ := b.gateway(1)
	feed(t, l)
	l.send(tStart, benchStart())
	stdout, stderr := b.run(main)
	expect[*startedBody](t, l)
	l.send(tBye, byeBody{})
	expectError(t, l, "not_ended")
	stdout.WriteString("out")
	stderr.WriteString("error")
	l, _ = b.gateway(1)
	l.send(tResume, resumeBody{})
	got := map[int]string{}
	for len(got) < 2 {
		d := expect[dataBody](t, l)
		got[d.Channel] = string(d.Data)
	}
	if got[chOut] != "out" || got[chErr] != "error" {
		t.Fatal(got)
	}
	stdout.Close()
	stderr.Close()
	code := 3
	main.send(tInnerExited, innerExited{Code: &code, Rusage: &rusageBody{UserMs: 1}})
	main.finish(nil)
	exit := expect[*exitBody](t, l)
	if exit.Code == nil || *exit.Code != 3 || exit.Ends.Out != 3 || exit.Ends.Err != 5 || exit.Rusage.UserMs != 1 {
		t.Fatalf("%+v", exit)
	}
	// Nothing was acknowledged: a new connection gets it all again.
	l, ready := b.gateway(1)
	if !ready.Exited || *ready.Acked != (outHave{}) {
		t.Fatalf("%+v", ready)
	}
	expect[*startedBody](t, l)
	expect[*exitBody](t, l)
	l.send(tResume, resumeBody{outHave{Out: 1, Err: 5}})
	if d := expect[dataBody](t, l); d.Offset != 1 || string(d.Data) != "ut" {
		t.Fatalf("%+v", d)
	}
	l.send(tAck, ackBody{chOut, 4})
	expectError(t, l, "malformed")
	l, _ = b.gateway(1)
	l.send(tAck, ackBody{chOut, 3})
	l.send(tAck, ackBody{chErr, 5})
	await(t, "the acknowledgement", func() bool { return b.out[chErr].begins() == 5 })
	l, ready = b.gateway(1)
	if *ready.Acked != (outHave{3, 5}) {
		t.Fatalf("%+v", ready)
	}
	l.send(tBye, byeBody{})
	expectClosed(t, l)
	<-b.ended
}

func TestAnExitWithoutAReportIsLost(t *testing.T) {
	b := startKeeper(t, nil)
	main := b.mainConn("")
	l, _ := b.gateway(1)
	feed(t, l)
	l.send(tStart, benchStart())
	stdout, stderr := b.run(main)
	expect[*startedBody](t, l)
	stdout.WriteString("last words")
	main.close(nil)
	stdout.Close()
	stderr.Close()
	if exit := expect[*exitBody](t, l); !exit.Lost || exit.Ends.Out != 10 || exit.Code != nil {
		t.Fatalf("%+v", exit)
	}
}

func TestASignalIsAppliedOnceAndAnsweredEachTime(t *testing.T) {
	b := startKeeper(t, nil)
	main := b.mainConn("")
	l, _ := b.gateway(1)
	feed(t, l)
	early := signalBody{ID: "s1", Signo: 10, Scope: scopeScript}
	l.send(tSignal, early) // waits for the start
	if s := expect[*signalledBody](t, l); s.ID != "s1" {
		t.Fatal(s)
	}
	l.send(tStart, benchStart())
	b.run(main)
	if s := expect[*signalBody](t, main); *s != early {
		t.Fatal(s)
	}
	l.send(tSignal, early)
	expect[*signalledBody](t, l)
	l.send(tSignal, signalBody{ID: "g9", Signo: 15, Scope: scopeAll})
	s := expect[*signalBody](t, main) // and not s1 a second time
	if s.ID != "g9" {
		t.Fatal(s)
	}
	main.send(tSignalled, signalledBody{s.ID})
	for expect[*signalledBody](t, l).ID != "g9" {
	}
}

func TestAMainWithAFaultIsToldAndNeverStarted(t *testing.T) {
	b := startKeeper(t, nil)
	l, _ := b.gateway(1)
	b.mainConn("has the groups [1 2] instead of [1]")
	for {
		r := expect[*readyBody](t, l)
		if r.Main == "refused" && strings.Contains(r.Fault, "groups") {
			break
		}
	}
	feed(t, l)
	l.send(tStart, benchStart())
	expectError(t, l, "main_refused")
}

func TestAnothersGrantOrUserIsRefused(t *testing.T) {
	b := startKeeper(t, nil)
	l, _ := b.gateway(1)
	feed(t, l)
	other := benchStart()
	other.User.UID++
	l.send(tStart, other)
	expectError(t, l, "wrong_user")
}

func TestOnlyOneMainIsLetIn(t *testing.T) {
	b := startKeeper(t, nil)
	l, _ := b.gateway(1)
	b.mainConn("")
	for expect[*readyBody](t, l).Main != "ready" {
	}
	second := b.mainConn("")
	expectClosed(t, second)
	if _, ready := b.gateway(1); ready.Main != "ready" {
		t.Fatalf("%+v", ready)
	}
}

func TestAMainOfAnotherUserIsNotLetIn(t *testing.T) {
	b := startKeeper(t, func(c *keeperConfig) { c.uid++ })
	expectClosed(t, b.mainConn(""))
	if _, ready := b.gateway(1); ready.Main != "absent" {
		t.Fatalf("%+v", ready)
	}
}

func TestAMainThatEndsBeforeTheStartIsRefused(t *testing.T) {
	b := startKeeper(t, nil)
	l, _ := b.gateway(1)
	b.mainConn("").finish(nil)
	for expect[*readyBody](t, l).Main != "refused" {
	}
}

func TestTheTimeLimitHoldsWithoutAGateway(t *testing.T) {
	b := startKeeper(t, nil)
	main := b.mainConn("")
	l, _ := b.gateway(1)
	feed(t, l)
	start := benchStart()
	ends := start.NowMs + 50
	start.EndsAtMs, start.KillAfterMs = &ends, 50
	l.send(tStart, start)
	stdout, stderr := b.run(main)
	expect[*startedBody](t, l)
	l.close(nil)
	for _, signo := range []int{sigCont, sigTerm, sigKill} {
		s := expect[*signalBody](t, main)
		if s.Signo != signo || s.Scope != scopeAll {
			t.Fatalf("%+v instead of %d", s, signo)
		}
		main.send(tSignalled, signalledBody{s.ID})
	}
	killed := sigKill
	main.send(tInnerExited, innerExited{Signal: &killed})
	stdout.Close()
	stderr.Close()
	main.finish(nil)
	l, _ = b.gateway(1)
	if exit := expect[*exitBody](t, l); *exit.Signal != sigKill || exit.Reason != "time_limit" {
		t.Fatalf("%+v", exit)
	}
}

func TestToldToGoItGoesOnlyIfThereIsNothingToKeep(t *testing.T) {
	idle := startKeeper(t, nil)
	idle.terminate()
	<-idle.ended

	watched := startKeeper(t, nil)
	l, _ := watched.gateway(1)
	watched.terminate()
	if isDone(watched.over) {
		t.Fatal("a gateway is there and may want to know")
	}
	l.close(nil)
	<-watched.ended

	granted := startKeeper(t, nil)
	granted.mainConn("")
	l, _ = granted.gateway(1)
	feed(t, l)
	l.send(tStart, benchStart())
	for expect[*readyBody](t, l).Started == nil {
	}
	granted.terminate()
	l.close(nil)
	if _, ready := granted.gateway(1); ready.Started == nil {
		t.Fatalf("%+v", ready)
	}
}

func TestPingIsAnsweredAndSilenceEndsTheConnection(t *testing.T) {
	b := startKeeper(t, func(c *keeperConfig) {
		c.timing.ping, c.timing.silence = 20*time.Millisecond, 200*time.Millisecond
	})
	l, _ := b.gateway(1)
	l.mu.Lock()
	l.queue = append(l.queue, outgoing{frame: mustEncode(t, tPing, pingBody{42})})
	l.mu.Unlock()
	l.poke()
	sawPing, sawPong := false, false
	for {
		typ, raw, err := l.frames.next() // past read, which answers
		if err != nil {
			break // silent as we are, it closes
		}
		sawPing = sawPing || typ == tPing
		sawPong = sawPong || typ == tPong && string(raw) == `{"n":42}`
	}
	if !sawPing || !sawPong {
		t.Fatalf("ping %v, pong %v", sawPing, sawPong)
	}
}

func mustEncode(t *testing.T, typ byte, body any) []byte {
	t.Helper()
	frame, err := encode(typ, body)
	if err != nil {
		t.Fatal(err)
	}
	return frame
}

func TestKeysAreRawOrHexadecimal(t *testing.T) {
	path := t.TempDir() + "/key"
	for text, good := range map[string]bool{
		string(testKey): true, hex.EncodeToString(testKey) + "\n": true, "short": false, strings.Repeat("z", 64): false,
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		key, err := readKey(path)
		if good != (err == nil) || good && string(key) != string(testKey) {
			t.Errorf("%q: %q, %v", text, key, err)
		}
	}
}

func TestRecentIDsForgetTheOldestOnly(t *testing.T) {
	ids := newRecentIDs(3)
	for i := range 5 {
		if !ids.add(fmt.Sprint(i)) {
			t.Fatalf("%d is new", i)
		}
	}
	if ids.add("3") || ids.add("4") || ids.add("2") || !ids.add("1") {
		t.Fatal("the last three are remembered, no more")
	}
}
