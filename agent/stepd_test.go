package main

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// startDaemon is a pod's step daemon without a pod around it.
func startDaemon(t *testing.T, attempt string) *stepDaemon {
	t.Helper()
	me := teamOf(&teamBody{Hosts: []hostBody{{"n1", "127.0.0.1"}}, Port: int64(freeTeamPort(t))}, teamKey(testKey, attempt), "")
	d, err := startStepDaemon(me, newChildren(), "4", nil)
	if err != nil {
		t.Fatal(err)
	}
	go d.children.reap()
	t.Cleanup(func() { d.listener.Close() })
	return d
}

func (d *stepDaemon) dial(t *testing.T) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", d.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	return conn
}

func sh(command string) *runBody {
	return &runBody{Argv: asBytes([]string{"/bin/sh", "-c", command}), Cwd: bytes64("/"), Umask: 0o022, Limits: rlimits{}, Task: true}
}

// outputOf runs to the end and gives what was written.
func outputOf(t *testing.T, c *stepCall) (string, endedBody) {
	t.Helper()
	var text bytes.Buffer
	var outputs sync.WaitGroup
	outputs.Go(func() { c.drain(stOut, func(p []byte) { text.Write(p) }) })
	outputs.Go(func() { c.drain(stErr, func([]byte) {}) })
	ended, err := c.hear()
	if err != nil {
		t.Fatal(err)
	}
	outputs.Wait()
	return text.String(), ended
}

func mustCall(t *testing.T, d *stepDaemon, run *runBody, environ ...string) *stepCall {
	t.Helper()
	c, err := d.team.call(0, run, environ)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.close(nil) })
	return c
}

func TestWhoHoldsTheKeyRunsAProcess(t *testing.T) {
	d := startDaemon(t, "a1")
	c := mustCall(t, d, sh(`read line; echo "$line $GREETING"; exit 7`), "GREETING=there")
	c.put(stIn, []byte("hello\n"))
	if out, ended := outputOf(t, c); out != "hello there\n" || ended.Code != 7 {
		t.Fatalf("%q %+v", out, ended)
	}
}

// silent says that nothing of worth came back and nothing ran.
func silent(t *testing.T, conn net.Conn) {
	t.Helper()
	rest, err := io.ReadAll(conn)
	if err != nil && !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("the connection was kept: %v", err)
	}
	if bytes.Contains(rest, []byte("mac")) {
		t.Fatalf("it proved the key to a stranger: %q", rest)
	}
}

func TestWithoutTheKeyNothingRunsAndNothingIsSaid(t *testing.T) {
	d := startDaemon(t, "a1")
	for name, key := range map[string][]byte{
		"none":                 make([]byte, 32),
		"the burst's own":      testKey,
		"another attempt's":    teamKey(testKey, "a2"),
		"another job's":        teamKey([]byte("another burst's key, 32 bytes it is"), "a1"),
		"right but for a byte": append([]byte{d.key[0] ^ 1}, d.key[1:]...),
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := handshake(d.dial(t), key, roleCaller, 0); err == nil {
				t.Fatal("let in")
			}
		})
	}
	t.Run("another rank's", func(t *testing.T) {
		if _, err := handshake(d.dial(t), d.key, roleCaller, 1); err == nil {
			t.Fatal("a proof for another rank was taken")
		}
	})
	t.Run("RUN without a hello", func(t *testing.T) {
		conn := d.dial(t)
		frame, _ := encode(tRun, sh("touch "+t.TempDir()+"/ran"))
		conn.Write(frame)
		silent(t, conn)
	})
	t.Run("its own proof sent back", func(t *testing.T) {
		conn := d.dial(t)
		var theirs stepHello
		if err := readFrame(conn, tStepHello, &theirs); err != nil {
			t.Fatal(err)
		}
		// A caller that answers with what the node said of itself, hoping that it proves something.
		writeFrame(conn, tStepHello, stepHello{V: []int{1}, Role: roleCaller, Nonce: theirs.Nonce})
		writeFrame(conn, tAuth, authBody{Mac: fmt.Sprintf("%x", make([]byte, 32))})
		silent(t, conn)
	})
}

// tap keeps what a caller sends.
type tap struct {
	net.Conn
	sent bytes.Buffer
}

func (c *tap) Write(p []byte) (int, error) { c.sent.Write(p); return c.Conn.Write(p) }

func TestWhatWasRecordedIsWorthNothingAgain(t *testing.T) {
	d := startDaemon(t, "a1")
	marks := t.TempDir() + "/marks"
	recorded := &tap{Conn: d.dial(t)}
	sealed, err := handshake(recorded, d.key, roleCaller, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := newFlow(sealed)
	f.send(tRun, sh("echo ran >>"+marks))
	for {
		if _, body, err := f.read(); err != nil {
			break
		} else if _, ended := body.(*endedBody); ended {
			break
		}
	}
	f.close(nil)
	conn := d.dial(t)
	conn.Write(recorded.sent.Bytes())
	silent(t, conn)
	if text := read(t, marks); text != "ran\n" {
		t.Fatalf("%q", text)
	}
	if bytes.Contains(recorded.sent.Bytes(), []byte("marks")) {
		t.Error("the request travels in the clear")
	}
}

// A record changed on the way, or one from another place in the stream, ends the connection and what ran on it.
func TestNothingCanBePutIntoAConnection(t *testing.T) {
	d := startDaemon(t, "a1")
	conn := d.dial(t)
	sealed, err := handshake(conn, d.key, roleCaller, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := newFlow(sealed)
	f.send(tRun, sh("sleep 1000"))
	_, body, err := f.read()
	running, ok := body.(*runningBody)
	if err != nil || !ok {
		t.Fatalf("%v %v", body, err)
	}
	if _, err := conn.Write(append([]byte{0, 0, 0, 40}, make([]byte, 40)...)); err != nil {
		t.Fatal(err)
	}
	await(t, "the process to be killed", func() bool { return gone(running.PID) })
}

func TestAStrangerMayNotTakeLongNorSendMuch(t *testing.T) {
	old := handshakeTime
	handshakeTime = 300 * time.Millisecond
	defer func() { handshakeTime = old }()
	d := startDaemon(t, "a1")
	for name, bytes := range map[string][]byte{
		"nothing":          nil,
		"half a frame":     {0, 0, 0, 60, tStepHello, '{'},
		"a huge frame":     {0x00, 0x0f, 0xff, 0xff, tStepHello},
		"an empty frame":   {0, 0, 0, 0},
		"another protocol": []byte("GET / HTTP/1.1\r\nHost: n1\r\n\r\n"),
		"another role": func() []byte {
			f, _ := encode(tStepHello, stepHello{V: []int{1}, Role: roleNode, Nonce: newNonce()})
			return f
		}(),
	} {
		t.Run(name, func(t *testing.T) {
			conn := d.dial(t)
			conn.Write(bytes)
			silent(t, conn)
		})
	}
}

func TestAFloodOfStrangersKeepsNobodyOut(t *testing.T) {
	d := startDaemon(t, "a1")
	for range 4 * maxStrangers {
		d.dial(t)
	}
	await(t, "the oldest to be let go", func() bool { d.mu.Lock(); defer d.mu.Unlock(); return len(d.strangers) <= maxStrangers })
	if out, _ := outputOf(t, mustCall(t, d, sh("echo in"))); out != "in\n" {
		t.Fatalf("%q", out)
	}
}

func TestTooMuchInOneFrameOrOnOneChannelEndsTheConnection(t *testing.T) {
	d := startDaemon(t, "a1")
	t.Run("a frame longer than may be", func(t *testing.T) {
		conn := d.dial(t)
		sealed, err := handshake(conn, d.key, roleCaller, 0)
		if err != nil {
			t.Fatal(err)
		}
		sealed.Write([]byte{0xff, 0xff, 0xff, 0xff, tRun})
		if _, err := io.ReadAll(sealed); err != nil && !errors.Is(err, syscall.ECONNRESET) {
			t.Fatalf("%v", err)
		}
	})
	t.Run("stdin beyond its window", func(t *testing.T) {
		c := mustCall(t, d, sh("sleep 1000"))
		for range 3 * stepWindow / stepChunk {
			c.queueRaw(bytesFrame(stIn, make([]byte, stepChunk)))
		}
		if _, err := c.hear(); err == nil {
			t.Fatal("taken")
		}
		await(t, "the process to be killed", func() bool { return gone(c.pid) })
	})
}

func TestAnotherUserOfTheMachineCannotReadTheKey(t *testing.T) {
	needsRoot(t)
	dir := t.TempDir()
	os.Chmod(filepath.Dir(dir), 0o755)
	job := filepath.Join(dir, "job")
	os.Chmod(dir, 0o755)
	if err := os.Mkdir(job, 0o700); err != nil {
		t.Fatal(err)
	}
	me := teamOf(&teamBody{Hosts: []hostBody{{"n1", "127.0.0.1"}}, Port: 1}, d32(), "")
	if err := me.write(job); err != nil {
		t.Fatal(err)
	}
	cat := exec.Command("/bin/cat", filepath.Join(job, teamFile))
	cat.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if out, err := cat.CombinedOutput(); err == nil || !strings.Contains(string(out), "Permission denied") {
		t.Fatalf("%v %s", err, out)
	}
	if info, err := os.Stat(filepath.Join(job, teamFile)); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v %v", info, err)
	}
}

func d32() []byte {
	key := make([]byte, 32)
	rand.Read(key)
	return key
}

func TestAConnectionThatBreaksTakesItsProcessesAlong(t *testing.T) {
	d := startDaemon(t, "a1")
	pids := t.TempDir() + "/pids"
	c := mustCall(t, d, sh("sleep 1000 & echo $! $$ >"+pids+"; echo ready; wait"))
	if piece := c.takeNow(t, stOut); piece != "ready\n" {
		t.Fatalf("%q", piece)
	}
	var child, shell int
	fmt.Sscan(read(t, pids), &child, &shell)
	c.conn.Close()
	await(t, "both to be gone", func() bool { return gone(child) && gone(shell) })
}

func (c *stepCall) takeNow(t *testing.T, channel int) string {
	t.Helper()
	go c.hear()
	return string(c.take(channel))
}

func TestWhatATaskLeavesBehindInItsSessionEndsWithIt(t *testing.T) {
	d := startDaemon(t, "a1")
	out, ended := outputOf(t, mustCall(t, d, sh("sleep 1000 & echo $!")))
	var left int
	fmt.Sscan(out, &left)
	if ended != (endedBody{}) || left == 0 {
		t.Fatalf("%q %+v", out, ended)
	}
	await(t, "it to be gone", func() bool { return gone(left) })
}

// An output that nobody reads holds its writer back, and neither the other output nor signals nor the end.
func TestAFullOutputHoldsBackItsWriterOnly(t *testing.T) {
	d := startDaemon(t, "a1")
	c := mustCall(t, d, sh(`trap 'echo got USR1 >&2; exit 4' USR1
head -c 10000000 /dev/zero & echo $! >&2; wait; wait`))
	errs := make(chan string, 8)
	go c.drain(stErr, func(p []byte) { errs <- string(p) })
	ended := make(chan endedBody, 1)
	go func() { e, _ := c.hear(); ended <- e }()
	var writer int
	fmt.Sscan(<-errs, &writer)
	await(t, "the writer to be held back", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.in[stOut].held >= stepWindow
	})
	c.send(tKill, killBody{Signo: int(syscall.SIGUSR1)})
	if text := <-errs; text != "got USR1\n" {
		t.Fatalf("%q", text)
	}
	c.mu.Lock()
	held := c.in[stOut].held
	c.mu.Unlock()
	if held > stepWindow+stepChunk {
		t.Fatalf("%d bytes came of a window of %d", held, stepWindow)
	}
	go c.drain(stOut, func([]byte) {})
	if e := <-ended; e.Code != 4 && e.Signal != int(syscall.SIGUSR1) {
		t.Fatalf("%+v", e)
	}
}

func TestManyBytesGoInAndComeOutAsTheyWere(t *testing.T) {
	d := startDaemon(t, "a1")
	c := mustCall(t, d, sh("cat"))
	sent := make([]byte, 5<<20)
	rand.Read(sent)
	go func() {
		c.put(stIn, sent)
		c.end(stIn)
	}()
	if out, ended := outputOf(t, c); out != string(sent) || ended != (endedBody{}) {
		t.Fatalf("%d bytes of %d, %+v", len(out), len(sent), ended)
	}
}

func TestParallelStepsWaitForCPUsUnlessTheyOverlap(t *testing.T) {
	s := newStepLedger("4(x2),2", 3)
	none := func(string) {}
	a, err := s.take(&stepAsk{CPUs: []int{3, 0, 0}}, nil, none)
	if err != nil || a != 0 {
		t.Fatal(a, err)
	}
	if b, err := s.take(&stepAsk{CPUs: []int{1, -1, 0}}, nil, none); err != nil || b != 1 {
		t.Fatal(b, err)
	}
	if c, err := s.take(&stepAsk{CPUs: []int{-1, -1, -1}, Overlap: true}, nil, none); err != nil || c != 2 {
		t.Fatal(c, err)
	}
	if _, err := s.take(&stepAsk{CPUs: []int{0, 0, 3}}, nil, none); err != errMoreThanJob {
		t.Fatal(err)
	}
	busy := make(chan string, 1)
	got := make(chan int, 1)
	go func() {
		id, _ := s.take(&stepAsk{CPUs: []int{2, 0, 0}}, nil, func(why string) { busy <- why })
		got <- id
	}()
	if why := <-busy; why != nodesBusy {
		t.Fatal(why)
	}
	s.giveBack(a)
	if id := <-got; id != 3 {
		t.Fatal(id)
	}
	gone := make(chan struct{})
	close(gone)
	if id, err := s.take(&stepAsk{CPUs: []int{-1, 0, 0}}, gone, none); id != -1 || err != nil {
		t.Fatal(id, err)
	}
}

// gone: ended, whether or not whose child it became has taken notice.
func gone(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || strings.Contains(string(text), ") Z ")
}
