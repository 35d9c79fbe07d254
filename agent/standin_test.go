package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// standinBench is a stand-in in this process; the test is its gateway, and may be away.
type standinBench struct {
	t *testing.T
	*standin
	conns  chan net.Conn
	result chan int
	out    [3]*bytes.Buffer
	full   [3]bool // writes fail for want of space
	mu     sync.Mutex
	died   int
}

func startStandin(t *testing.T, timing timing) *standinBench {
	t.Helper()
	b := &standinBench{t: t, conns: make(chan net.Conn, 16), result: make(chan int, 1)}
	dial := func() (net.Conn, error) {
		near, far := net.Pipe()
		select {
		case b.conns <- far:
			return near, nil
		default:
			return nil, errors.New("nobody listens")
		}
	}
	open := openBody{Argv: []bytes64{}, Cwd: bytes64("/"), Limits: rlimits{}, Session: newNonce()}
	script := &input{channel: chScript, source: strings.NewReader("#!standin\n" + benchScript), skip: 10}
	b.standin = makeStandin(open, script, &input{channel: chEnv, source: strings.NewReader(benchEnv)}, dial, timing)
	b.standin.die = func(signo int) int { b.died = signo; return 128 + signo }
	for _, ch := range []int{chOut, chErr} {
		b.out[ch] = &bytes.Buffer{}
		b.standin.out[ch].retry = time.Millisecond
		b.standin.out[ch].write = b.write
	}
	go func() { b.result <- b.serve() }()
	t.Cleanup(func() {
		b.standin.ends(outcome{})
		for {
			select {
			case <-b.result:
				return
			case c := <-b.conns:
				c.Close()
			case <-time.After(10 * time.Millisecond):
				b.standin.mu.Lock()
				l := b.standin.link
				b.standin.mu.Unlock()
				if l != nil {
					l.close(nil)
				}
			}
		}
	})
	return b
}

func (b *standinBench) write(fd int, p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.full[fd] {
		return 0, syscall.ENOSPC
	}
	return b.out[fd].Write(p)
}

func (b *standinBench) written(fd int) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.out[fd].String()
}

// accept is the gateway's side up to OPEN.
func (b *standinBench) accept(epoch int64) (*link, *openBody) {
	b.t.Helper()
	select {
	case conn := <-b.conns:
		l := newLink(conn, protocolTiming, nothing)
		l.run()
		b.t.Cleanup(func() { l.close(nil) })
		l.send(tHello, helloBody{V: []int{1}, Role: "gateway", Nonce: newNonce(), Epoch: &epoch})
		return l, expect[*openBody](b.t, l)
	case <-time.After(20 * time.Second):
		b.t.Fatal("the stand-in does not connect")
		return nil, nil
	}
}

func (b *standinBench) end() int {
	b.t.Helper()
	select {
	case code := <-b.result:
		b.result <- code
		return code
	case <-time.After(20 * time.Second):
		b.t.Fatal("the stand-in does not end")
		return -1
	}
}

func TestARefusedStandinEndsWithTheLineForItsOwner(t *testing.T) {
	b := startStandin(t, protocolTiming)
	l, _ := b.accept(1)
	l.send(tWait, waitBody{"looking"})
	l.send(tRefuse, refuseBody{Line: "spillway: no claim", Exit: 3})
	if code := b.end(); code != 3 || b.standin.end.line != "spillway: no claim" {
		t.Fatalf("%d %+v", code, b.standin.end)
	}
}

func TestGoBringsScriptAndEnvironmentFromWhereTheyAre(t *testing.T) {
	b := startStandin(t, protocolTiming)
	l, _ := b.accept(1)
	l.send(tGo, goBody{inHave{Script: 2}, 1})
	got := map[int]string{}
	for closed := 0; closed < 2; {
		_, body, err := l.read()
		if err != nil {
			t.Fatal(err)
		}
		switch d := body.(type) {
		case dataBody:
			got[d.Channel] += string(d.Data)
		case *closeBody:
			closed++
			if want := closing(d.Channel, map[int]string{chScript: benchScript, chEnv: benchEnv}[d.Channel]); *d != want {
				t.Errorf("%+v instead of %+v", *d, want)
			}
		}
	}
	if got[chScript] != benchScript[2:] || got[chEnv] != benchEnv {
		t.Fatalf("%v", got)
	}
}

func TestOutputIsWrittenOnceOverReconnects(t *testing.T) {
	b := startStandin(t, protocolTiming)
	l, open := b.accept(1)
	session := open.Session
	l.send(tGo, goBody{Epoch: 1})
	sendData(l, chOut, 0, "hello ")
	sendData(l, chErr, 0, "oops")
	for acked := map[int]int64{}; acked[chOut] != 6 || acked[chErr] != 4; {
		a := expect[*ackBody](t, l)
		acked[a.Channel] = a.Offset
	}
	l.close(nil)
	l, open = b.accept(1)
	if open.Have.Out != 6 || open.Have.Err != 4 || open.Session != session {
		t.Fatalf("%+v", open)
	}
	l.send(tGo, goBody{Epoch: 1})
	sendData(l, chOut, 3, "lo world") // from before the cut: three bytes it has
	await(t, "the rest", func() bool { return b.written(chOut) == "hello world" })
	sendData(l, chOut, 12, "!")
	expectError(t, l, "gap")
	l, open = b.accept(1)
	if open.Have.Out != 11 {
		t.Fatalf("%+v", open)
	}
	l.send(tGo, goBody{Epoch: 1})
	code := 5
	l.send(tExit, exitBody{Code: &code, Ends: outHave{11, 4}})
	expect[*byeBody](t, l)
	if got := b.end(); got != 5 {
		t.Fatal(got)
	}
}

func TestAFullDiskHoldsBackAndLosesNothing(t *testing.T) {
	b := startStandin(t, protocolTiming)
	b.mu.Lock()
	b.full[chOut] = true
	b.mu.Unlock()
	l, _ := b.accept(1)
	l.send(tGo, goBody{Epoch: 1})
	sendData(l, chOut, 0, "held back")
	sendData(l, chErr, 0, "meanwhile")
	for expect[*ackBody](t, l).Channel != chErr {
	}
	code := 0
	l.send(tExit, exitBody{Code: &code, Ends: outHave{9, 9}}) // too early, and so waited for
	b.mu.Lock()
	if b.out[chOut].Len() != 0 {
		t.Error("written to a full disk")
	}
	b.full[chOut] = false
	b.mu.Unlock()
	if a := expect[*ackBody](t, l); a.Channel != chOut || a.Offset != 9 {
		t.Fatalf("%+v", a)
	}
	expect[*byeBody](t, l)
	b.end()
	if b.written(chOut) != "held back" {
		t.Fatalf("%q", b.written(chOut))
	}
}

func TestAReaderThatWentAwayDoesNotKeepAJobFromEnding(t *testing.T) {
	b := startStandin(t, protocolTiming)
	b.standin.out[chOut].write = func(int, []byte) (int, error) { return 0, syscall.EPIPE }
	l, _ := b.accept(1)
	l.send(tGo, goBody{Epoch: 1})
	sendData(l, chOut, 0, "for nobody")
	if a := expect[*ackBody](t, l); a.Offset != 10 {
		t.Fatalf("%+v", a)
	}
}

func TestAnOlderLeaderIsNotObeyed(t *testing.T) {
	b := startStandin(t, protocolTiming)
	l, _ := b.accept(7)
	l.send(tWait, waitBody{"x"})
	l.close(nil)
	conn := <-b.conns
	stale := newLink(conn, protocolTiming, nothing)
	stale.run()
	epoch := int64(6)
	stale.send(tHello, helloBody{V: []int{1}, Role: "gateway", Nonce: newNonce(), Epoch: &epoch})
	expectError(t, stale, "stale_epoch")
	l, _ = b.accept(7)
	l.send(tGo, goBody{Epoch: 6})
	expectError(t, l, "stale_epoch")
	b.accept(8)
}

func TestWithoutACommonVersionNothingIsRun(t *testing.T) {
	b := startStandin(t, protocolTiming)
	l := newLink(<-b.conns, protocolTiming, nothing)
	l.run()
	l.send(tHello, helloBody{V: []int{9}, Role: "gateway", Nonce: newNonce()})
	expectError(t, l, "version")
	if code := b.end(); code != 1 {
		t.Fatal(code)
	}
}

func TestWhatTheRelaySaysOfAStrangerIsTheEnd(t *testing.T) {
	b := startStandin(t, protocolTiming)
	l := newLink(<-b.conns, protocolTiming, nothing)
	l.run()
	l.send(tError, errorBody{"not_a_batch_step", "process 1 is no child of a batch step"})
	if code := b.end(); code != 1 || !strings.Contains(b.standin.end.line, "no child") {
		t.Fatalf("%d %+v", code, b.standin.end)
	}
}

func TestAGatewayThatIsAwayIsTriedAgain(t *testing.T) {
	b := startStandin(t, protocolTiming)
	for range 3 {
		l := newLink(<-b.conns, protocolTiming, nothing)
		l.run()
		l.send(tError, errorBody{"gateway_unreachable", "connection refused"})
		expectClosed(t, l)
	}
	b.accept(1)
}

func TestASilentGatewayIsLeft(t *testing.T) {
	b := startStandin(t, timing{ping: 20 * time.Millisecond, silence: 100 * time.Millisecond, hello: time.Second})
	conn := <-b.conns // says nothing
	go func() {
		for buf := make([]byte, 4096); ; {
			if _, err := conn.Read(buf); err != nil {
				return
			}
		}
	}()
	b.accept(1)
}

func TestSignalsAreSentUntilTheyAreApplied(t *testing.T) {
	b := startStandin(t, protocolTiming)
	b.standin.signal(10, scopeScript) // before there is anybody to tell
	l, _ := b.accept(1)
	l.send(tGo, goBody{Epoch: 1})
	if s := expect[*signalBody](t, l); s.ID != "s1" || s.Signo != 10 {
		t.Fatalf("%+v", s)
	}
	b.standin.signal(12, scopeScript)
	if s := expect[*signalBody](t, l); s.ID != "s2" {
		t.Fatalf("%+v", s)
	}
	l.send(tSignalled, signalledBody{"s1"})
	l.send(tPing, pingBody{1})
	await(t, "s1 to be done", func() bool {
		b.standin.mu.Lock()
		defer b.standin.mu.Unlock()
		return len(b.standin.signals.pending) == 1
	})
	l.close(nil)
	l, _ = b.accept(1)
	l.send(tGo, goBody{Epoch: 1})
	if s := expect[*signalBody](t, l); s.ID != "s2" {
		t.Fatalf("%+v", s)
	}
}

func TestBeforeGoAnEndOfTheWholeJobNeedsNobody(t *testing.T) {
	b := startStandin(t, protocolTiming)
	l, _ := b.accept(1)
	l.send(tWait, waitBody{"no pods yet"})
	b.standin.signal(15, scopeAll)
	b.end()
	if b.died != 15 {
		t.Fatalf("died by %d", b.died)
	}
}

func TestAfterGoOnlyTheGatewayEndsIt(t *testing.T) {
	b := startStandin(t, protocolTiming)
	l, _ := b.accept(1)
	l.send(tGo, goBody{Epoch: 1})
	expect[*closeBody](t, l)
	b.standin.signal(15, scopeAll)
	if s := expect[*signalBody](t, l); s.Scope != scopeAll {
		t.Fatalf("%+v", s)
	}
	signo := 15
	l.send(tExit, exitBody{Signal: &signo})
	expect[*byeBody](t, l)
	b.end()
	if b.died != 15 {
		t.Fatalf("died by %d", b.died)
	}
}

func TestSlurmsEndIsForAllAndScancelBatchForTheScript(t *testing.T) {
	for name, c := range map[string]struct {
		arrive []syscall.Signal
		want   string
	}{
		"CONT and TERM":      {[]syscall.Signal{syscall.SIGCONT, syscall.SIGTERM}, "18 script, 15 all"},
		"--signal=B:TERM@60": {[]syscall.Signal{syscall.SIGTERM, syscall.SIGCONT}, "15 script, 18 script"},
		"TERM alone":         {[]syscall.Signal{syscall.SIGTERM}, "15 script"},
		"USR1 after CONT":    {[]syscall.Signal{syscall.SIGCONT, syscall.SIGUSR1}, "18 script, 10 script"},
		"TERM, then USR2":    {[]syscall.Signal{syscall.SIGTERM, syscall.SIGUSR2}, "15 script, 12 script"},
		"CONT and INT":       {[]syscall.Signal{syscall.SIGCONT, syscall.SIGINT}, "18 script, 2 all"},
	} {
		t.Run(name, func(t *testing.T) {
			arrived := make(chan os.Signal, 8)
			for _, s := range c.arrive {
				arrived <- s
			}
			got := make(chan string, 8)
			go sortSignals(arrived, func(signo int, scope string) { got <- fmt.Sprintf("%d %s", signo, scope) })
			var all []string
			for range strings.Split(c.want, ", ") {
				all = append(all, <-got)
			}
			if strings.Join(all, ", ") != c.want {
				t.Fatalf("%v instead of %s", all, c.want)
			}
		})
	}
}

// The process that Slurm watches must end as the script did, and say nothing of its own.
func TestTheStandinEndsByTheSameSignal(t *testing.T) {
	for _, signo := range []syscall.Signal{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 31, 34, 35, 50, 64} {
		t.Run(fmt.Sprint(int(signo)), func(t *testing.T) {
			c := exec.Command("/proc/self/exe")
			c.Env = []string{"SPILL_TEST_PROGRAM=die", fmt.Sprintf("SIGNO=%d", signo), "GOTRACEBACK=crash"}
			out, err := c.CombinedOutput()
			status := c.ProcessState.Sys().(syscall.WaitStatus)
			if !status.Signaled() || status.Signal() != signo || status.CoreDump() || len(out) > 0 {
				t.Errorf("%v, %q", err, out)
			}
		})
	}
}

// --full reaches every process of the batch step, the stand-in's witness among them; --batch the script's alone.
func TestWhatTheWitnessWasSentTooIsForAll(t *testing.T) {
	own, words, got := make(chan signalBody), make(chan word, 8), make(chan string, 8)
	go askWitness(own, words, 50*time.Millisecond, func(signo int, scope string) { got <- fmt.Sprintf("%d %s", signo, scope) })
	tell := func(want string, own1 signalBody, heard ...word) {
		t.Helper()
		for _, w := range heard {
			words <- w
		}
		own <- own1
		if g := <-got; g != want {
			t.Errorf("%s instead of %s", g, want)
		}
	}
	now := time.Now()
	tell("10 full", signalBody{Signo: 10, Scope: scopeScript}, word{10, now})
	tell("10 script", signalBody{Signo: 10, Scope: scopeScript})
	tell("12 script", signalBody{Signo: 12, Scope: scopeScript}, word{10, now}) // another's word, which is kept
	tell("10 full", signalBody{Signo: 10, Scope: scopeScript})
	tell("10 script", signalBody{Signo: 10, Scope: scopeScript}, word{10, now.Add(-time.Minute)})
	tell("15 all", signalBody{Signo: 15, Scope: scopeAll}, word{15, now})
	close(words) // it was killed
	tell("12 script", signalBody{Signo: 12, Scope: scopeScript})
}
