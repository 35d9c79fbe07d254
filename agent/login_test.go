package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// loginGateway answers each LOGIN of a login host as it is told to, and counts them; to HOLDS it says yes unless it is told to say something else.
type loginGateway struct {
	mu     sync.Mutex
	asked  []loginBody
	checks []holdsBody
	answer func(n int, who loginBody) (byte, any)
	holds  func(n int, what holdsBody) (byte, any)
}

func (g *loginGateway) serve(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			typ, raw, err := newFrameReader(conn).next()
			if err != nil {
				return
			}
			body, err := decode(typ, raw)
			if err != nil {
				return
			}
			if typ, body := g.answerTo(body); body != nil {
				frame, _ := encode(typ, body)
				conn.Write(frame)
			}
		}()
	}
}

func (g *loginGateway) answerTo(body any) (byte, any) {
	g.mu.Lock()
	switch b := body.(type) {
	case *loginBody:
		g.asked = append(g.asked, *b)
		n := len(g.asked)
		g.mu.Unlock()
		return g.answer(n, *b)
	case *holdsBody:
		g.checks = append(g.checks, *b)
		n, holds := len(g.checks), g.holds
		g.mu.Unlock()
		return holds(n, *b)
	}
	g.mu.Unlock()
	return 0, nil
}

// isSaid sets what HOLDS is answered from now on.
func (g *loginGateway) isSaid(holds func(n int, what holdsBody) (byte, any)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.holds = holds
}

func (g *loginGateway) checked() []holdsBody {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]holdsBody(nil), g.checks...)
}

func (g *loginGateway) questions() []loginBody {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]loginBody(nil), g.asked...)
}

func lends(n int, who loginBody) (byte, any) {
	return tToken, tokenBody{Token: fmt.Sprintf("spw_%s_%d", who.User, n), ForMs: 900_000}
}

// startLogin serves a socket that every user may reach; users are called by their numbers.
func startLogin(t *testing.T, answer func(int, loginBody) (byte, any)) (*login, *loginGateway, string) {
	t.Helper()
	a := newAuthority(t)
	g := &loginGateway{answer: answer}
	g.isSaid(func(_ int, what holdsBody) (byte, any) { return tToken, tokenBody{what.Token, 900_000} })
	listener := a.listen(0)
	go g.serve(listener)
	l, err := newLogin(loginConfig{relayConfig: a.relayConfig(listener.Addr().String()).Relay})
	if err != nil {
		t.Fatal(err)
	}
	l.log = t.Logf
	l.user = func(uid int64) (string, error) { return fmt.Sprintf("u%d", uid), nil }
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	socket, err := listenToAnybody(dir + "/login.sock")
	if err != nil {
		t.Fatal(err)
	}
	go acceptAll(socket, l.handle, l.log)
	t.Cleanup(func() {
		socket.Close()
		await(t, "all to be answered", func() bool { l.mu.Lock(); defer l.mu.Unlock(); return l.total == 0 })
	})
	return l, g, dir + "/login.sock"
}

// as does something by one thread whose effective user is another; that thread ends with it.
func as(t *testing.T, uid int, work func()) {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		var failed error
		defer func() { done <- failed }()
		runtime.LockOSThread()
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, ^uintptr(0), uintptr(uid), ^uintptr(0)); errno != 0 {
			failed = errno
			return
		}
		work()
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// others are two users besides root, where the test is root; else only he himself.
func others() []int {
	if os.Getuid() == 0 {
		return []int{2001, 2002}
	}
	return []int{os.Getuid()}
}

func answerOf(t *testing.T, conn net.Conn) loginAnswer {
	t.Helper()
	line, err := bufio.NewReader(conn).ReadBytes('\n')
	var answer loginAnswer
	if err == nil {
		err = json.Unmarshal(line, &answer)
	}
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func TestTheLoginSocketBelievesTheKernelAlone(t *testing.T) {
	_, g, path := startLogin(t, lends)
	for _, uid := range others() {
		var conn *net.UnixConn
		as(t, uid, func() { conn = dialUnix(t, path) })
		// By now another's descriptor, and whatever is written says something else.
		conn.Write([]byte(`{"uid":0,"user":"root"}` + "\n"))
		if answer := answerOf(t, conn); answer.Error != "" || !strings.HasPrefix(answer.Token, fmt.Sprintf("spw_u%d_", uid)) || answer.ForMs <= 0 {
			t.Errorf("uid %d: %+v", uid, answer)
		}
	}
	for i, uid := range others() {
		if asked := g.questions()[i]; asked != (loginBody{int64(uid), fmt.Sprintf("u%d", uid)}) {
			t.Errorf("%+v", asked)
		}
	}
}

func TestTheLoginSocketKnowsNobodyAsRootOrOverflow(t *testing.T) {
	l, g, path := startLogin(t, lends)
	if os.Getuid() == 0 {
		if answer := answerOf(t, dialUnix(t, path)); answer.Error != "not_allowed" || !strings.Contains(answer.Text, "root is nobody's user") {
			t.Errorf("%+v", answer)
		}
		var conn *net.UnixConn
		as(t, 65534, func() { conn = dialUnix(t, path) })
		if answer := answerOf(t, conn); answer.Error != "not_allowed" {
			t.Errorf("%+v", answer)
		}
	}
	for _, uid := range []int64{0, 65534, 1<<32 - 1} {
		if answer := l.answer(uid); answer.Error != "not_allowed" {
			t.Errorf("uid %d: %+v", uid, answer)
		}
	}
	l.user = func(uid int64) (string, error) { return "", fmt.Errorf("uid %d has no name here", uid) }
	if answer := l.answer(4711); answer.Error != "not_allowed" {
		t.Errorf("%+v", answer)
	}
	l.user = func(int64) (string, error) { return "", fmt.Errorf("%w: ldap", errNames) }
	if answer := l.answer(4711); answer.Error != "names_unavailable" {
		t.Errorf("%+v", answer)
	}
	if asked := g.questions(); len(asked) != 0 {
		t.Errorf("the gateway was asked: %+v", asked)
	}
}

func TestAUserIsToldTheSameTokenUntilFiveMinutesBeforeItsEnd(t *testing.T) {
	l, g, _ := startLogin(t, lends)
	now := time.Now()
	l.since = func() time.Time { return now }
	first := l.answer(2001)
	now = now.Add(9*time.Minute + 59*time.Second)
	g.isSaid(func(_ int, what holdsBody) (byte, any) { return tToken, tokenBody{what.Token, 301_000} })
	if again := l.answer(2001); again.Token != first.Token || again.ForMs != 301_000 {
		t.Errorf("%+v after %+v", again, first)
	}
	now = now.Add(time.Second)
	if fresh := l.answer(2001); fresh.Token == first.Token || fresh.Error != "" {
		t.Errorf("%+v after %+v", fresh, first)
	}
	if other := l.answer(2002); !strings.HasPrefix(other.Token, "spw_u2002_") {
		t.Errorf("%+v", other)
	}
	// The uid was given to somebody else.
	l.user = func(int64) (string, error) { return "carol", nil }
	if hers := l.answer(2001); !strings.HasPrefix(hers.Token, "spw_carol_") {
		t.Errorf("%+v", hers)
	}
	if n := len(g.questions()); n != 4 {
		t.Errorf("%d questions", n)
	}
}

func TestATokenThatHoldsNoMoreIsNotToldAgain(t *testing.T) {
	l, g, _ := startLogin(t, lends)
	now := time.Now()
	l.since = func() time.Time { return now }
	first := l.answer(2001)
	if again := l.answer(2001); again != first {
		t.Errorf("%+v after %+v", again, first)
	}
	if asked := g.checked(); len(asked) != 1 || asked[0] != (holdsBody{2001, "u2001", first.Token}) {
		t.Errorf("%+v", asked)
	}
	// Revoked: the very next one has a new one.
	g.isSaid(func(int, holdsBody) (byte, any) { return tError, errorBody{"not_allowed", "it was revoked"} })
	second := l.answer(2001)
	if second.Token == first.Token || second.Error != "" {
		t.Errorf("%+v after %+v", second, first)
	}
	// By the gateway's clock there is less left of it than by this host's: also that ends it.
	now = now.Add(loginCheckEvery)
	g.isSaid(func(_ int, what holdsBody) (byte, any) {
		return tToken, tokenBody{what.Token, loginLeft.Milliseconds()}
	})
	if third := l.answer(2001); third.Token == second.Token || third.Error != "" {
		t.Errorf("%+v after %+v", third, second)
	}
	// Nor is it told to another by that uid.
	l.user = func(int64) (string, error) { return "carol", nil }
	if hers := l.answer(2001); !strings.HasPrefix(hers.Token, "spw_carol_") {
		t.Errorf("%+v", hers)
	}
}

func TestAGatewayThatCannotSayWhetherATokenHoldsEndsNone(t *testing.T) {
	l, g, _ := startLogin(t, lends)
	now := time.Now()
	l.since = func() time.Time { return now }
	first := l.answer(2001)
	says := []func(int, holdsBody) (byte, any){
		func(int, holdsBody) (byte, any) { return tError, errorBody{"protocol", "an older one knows no HOLDS"} },
		func(int, holdsBody) (byte, any) { return tError, errorBody{"not_available", "its store is away"} },
		func(int, holdsBody) (byte, any) { return tError, errorBody{"too_many", "in 1 s"} },
		func(int, holdsBody) (byte, any) { return tToken, tokenBody{"spw_another", 900_000} },
		func(int, holdsBody) (byte, any) { return 0, nil },
	}
	for i, say := range says {
		now = now.Add(loginRefusedFor)
		g.isSaid(say)
		for range 3 {
			if again := l.answer(2001); again.Token != first.Token {
				t.Errorf("%d: %+v after %+v", i, again, first)
			}
		}
		// Who waits for it waits once in two seconds.
		if n := len(g.checked()); n != i+1 {
			t.Errorf("%d: %d checks", i, n)
		}
	}
	if n := len(g.questions()); n != 1 {
		t.Errorf("%d questions", n)
	}
}

func TestWhatTheGatewayRefusesIsToldAndAskedAgainSoon(t *testing.T) {
	l, g, _ := startLogin(t, func(n int, who loginBody) (byte, any) {
		switch n {
		case 1:
			return tError, errorBody{"not_allowed", "another uid"}
		case 2:
			return 0, nil
		}
		return lends(n, who)
	})
	now := time.Now()
	l.since = func() time.Time { return now }
	for range 100 {
		if answer := l.answer(2001); answer.Error != "not_allowed" || answer.Text != "another uid" {
			t.Fatalf("%+v", answer)
		}
	}
	now = now.Add(loginRefusedFor)
	if answer := l.answer(2001); answer.Error != "gateway_unreachable" || !strings.Contains(answer.Text, "api.loginHosts") {
		t.Errorf("%+v", answer)
	}
	now = now.Add(loginRefusedFor)
	token := l.answer(2001)
	if token.Error != "" {
		t.Errorf("%+v", token)
	}
	// The gateway is away: who has one keeps it.
	l.dial = func(context.Context) (net.Conn, error) { return nil, errors.New("no route") }
	if answer := l.answer(2001); answer.Token != token.Token {
		t.Errorf("%+v", answer)
	}
	if n := len(g.questions()); n != 3 {
		t.Errorf("%d questions", n)
	}
}

func TestCallersWhoFloodTheLoginSocketHarmNobodyElse(t *testing.T) {
	release := make(chan struct{})
	l, g, path := startLogin(t, func(n int, who loginBody) (byte, any) {
		<-release
		return lends(n, who)
	})
	me := os.Getuid()
	if me == 0 {
		me = 2001
	}
	var conns []*net.UnixConn
	as(t, me, func() {
		for range 8 {
			conns = append(conns, dialUnix(t, path))
		}
	})
	// Only one of them asks the gateway; the others wait for what it says.
	await(t, "eight to wait", func() bool { l.mu.Lock(); defer l.mu.Unlock(); return l.total == 8 && len(g.questions()) == 1 })
	as(t, me, func() {
		for range 1000 {
			conn := dialUnix(t, path)
			if answer := answerOf(t, conn); answer.Error != "too_many" {
				t.Fatalf("%+v", answer)
			}
			conn.Close()
		}
	})
	close(release)
	// Another has his answer, and so have one who says nothing and one who says a lot.
	if answer := l.answer(2002); answer.Error != "" {
		t.Errorf("%+v", answer)
	}
	conns[0].Close()
	for _, conn := range conns[1:] {
		if answer := answerOf(t, conn); answer.Error != "" {
			t.Errorf("%+v", answer)
		}
	}
	as(t, me, func() {
		conn := dialUnix(t, path)
		conn.Write(bytes.Repeat([]byte("x"), 64<<20)) // ends once the other side has closed
		if answer := answerOf(t, conn); answer.Error != "" {
			t.Errorf("%+v", answer)
		}
	})
	if n := len(g.questions()); n != 2 {
		t.Errorf("%d questions", n)
	}
}

func TestANameThatTheHostHasForAnotherUidIsRefused(t *testing.T) {
	names := &nameService{}
	passwd, err := os.ReadFile("/etc/passwd")
	if err != nil {
		t.Fatal(err)
	}
	// Any user of this host.
	found := regexp.MustCompile(`(?m)^([a-z]+):[^:]*:([1-9][0-9]{0,3}):`).FindSubmatch(passwd)
	if found == nil {
		t.Fatal("/etc/passwd has nobody but root")
	}
	name := string(found[1])
	uid, _ := strconv.ParseInt(string(found[2]), 10, 64)
	if user, err := userOf(uid, names); err != nil || user != name {
		t.Errorf("%q, %v", user, err)
	}
	if user, err := userOf(3_999_999_999, names); err == nil || errors.Is(err, errNames) {
		t.Errorf("%q, %v", user, err)
	}
	kept := func(uid int64, line string) {
		names.keep(map[string]answer{key("passwd", uid): {line, time.Now()}})
	}
	kept(70001, name+":x:70001:70001::/:/bin/sh")
	if user, err := userOf(70001, names); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%s is uid %d", name, uid)) {
		t.Errorf("%q, %v", user, err)
	}
	for _, name := range []string{"root", "Ünal", "-s", "a b", "", "../x", "a\\b"} {
		kept(70002, name+":x:70002:70002::/:/bin/sh")
		if user, err := userOf(70002, names); err == nil {
			t.Errorf("%q is taken", user)
		}
	}
}

func TestALoginHostsFilesAreNobodyElses(t *testing.T) {
	dir := t.TempDir()
	path, key := dir+"/login.json", dir+"/login.key"
	os.WriteFile(key, nil, 0o600)
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"login":{"gateway":"gw:8443","key":"` + key + `"}}`)
	config, err := readLoginConfig(path)
	if err != nil || config.Login.Socket != defaultLoginSocket || config.Login.Gateway != "gw:8443" {
		t.Errorf("%+v, %v", config.Login, err)
	}
	for _, mode := range []os.FileMode{0o604, 0o620} {
		os.Chmod(key, mode)
		if _, err := readLoginConfig(path); err == nil || !strings.Contains(err.Error(), "login.key") {
			t.Errorf("%#o: %v", mode, err)
		}
	}
	os.Chmod(key, 0o440)
	os.Chmod(path, 0o666)
	if _, err := readLoginConfig(path); err == nil || !strings.Contains(err.Error(), "writable for others") {
		t.Error(err)
	}
	os.Chmod(path, 0o644)
	write(`{"login":{"socket":"@abstract"}}`)
	if _, err := readLoginConfig(path); err == nil || !strings.Contains(err.Error(), "login.socket") {
		t.Error(err)
	}
	if _, err := newLogin(loginConfig{}); err == nil || !strings.Contains(err.Error(), "login.gateway") {
		t.Error(err)
	}
	expired := whyNoDial(x509.CertificateInvalidError{Reason: x509.Expired})
	if !strings.Contains(expired.Error(), "clock") {
		t.Error(expired)
	}
}
