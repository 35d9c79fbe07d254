package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"
)

// loginMain is the daemon of a host where users log in (protocol/spill.md, section 13). Whoever connects to its socket is given an
// API token as the user that the kernel says he is. It reads nothing of what he writes, so there is nothing to lie in.
func loginMain() int {
	flags := flag.NewFlagSet("spill-login", flag.ContinueOnError)
	path := flags.String("config", "/etc/spillway/login.json", "as deploy/login/login.json")
	if flags.Parse(os.Args[1:]) != nil {
		return 2
	}
	debug.SetGCPercent(100)
	config, err := readLoginConfig(*path)
	var l *login
	if err == nil {
		l, err = newLogin(config.Login)
	}
	var listener *net.UnixListener
	if err == nil {
		listener, err = listenToAnybody(config.Login.Socket)
	}
	if err == nil {
		l.log("login %s listens on %s", version, config.Login.Socket)
		err = acceptAll(listener, l.handle, l.log)
	}
	complain("login: %v", err)
	return 1
}

// readLoginConfig: it is root's, also where the daemon is not; or, outside of a service, of whom it runs as.
func readLoginConfig(path string) (hostConfig, error) {
	owner := uint32(os.Getuid())
	if trustedDir(filepath.Dir(path), 0) == nil {
		owner = 0
	}
	config, err := readHostConfig(path, owner)
	if err != nil {
		return config, err
	}
	if !filepath.IsAbs(config.Login.Socket) {
		return config, fmt.Errorf("%s: login.socket: write a path from /", path)
	}
	// Who reads the key is every user to the gateway.
	if found, err := os.Stat(config.Login.Key); err == nil && found.Mode()&0o027 != 0 {
		return config, fmt.Errorf("login.key: %s may be read or written by others (mode %#o); run chmod 0400", config.Login.Key, found.Mode().Perm())
	}
	return config, nil
}

type login struct {
	seats
	dial    func(context.Context) (net.Conn, error)
	user    func(uid int64) (string, error)
	log     func(format string, args ...any)
	since   func() time.Time
	looking chan struct{} // getents at once
	asking  chan struct{} // questions to the gateway at once
	// Apart from them: those wait for login nodes.
	checking chan struct{}

	lentMu sync.Mutex
	lent   map[int64]*lent // one for each user who ever called
}

// lent is what one user was told last. Its lock is held while the gateway is asked, so one user asks one question at a time.
type lent struct {
	mu     sync.Mutex
	user   string
	answer loginAnswer
	until  time.Time // so long it is told again
	ends   time.Time
	check  time.Time // not before is the gateway asked whether it still holds
}

// loginAnswer is one line of JSON: a token and for how long it still holds, or why there is none.
type loginAnswer struct {
	Token string `json:"token,omitempty"`
	ForMs int64  `json:"forMs,omitempty"`
	Error string `json:"error,omitempty"`
	Text  string `json:"text,omitempty"`
}

const (
	// What is left of a token that is told again: a command that asks for it now is done by then.
	loginLeft = 5 * time.Minute
	// A loop of refused commands asks the gateway no oftener.
	loginRefusedFor = 2 * time.Second
	// The gateway asks the login nodes of its clusters meanwhile.
	loginWithin = 40 * time.Second
	// Whether a token still holds its store alone says.
	loginCheckWithin = 3 * time.Second
	// A loop of commands waits so long between two of them, and asks no oftener.
	loginCheckEvery = 100 * time.Millisecond
)

// unixUser is what Slurm may have as a user, and what getent takes for no option.
var unixUser = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]{0,63}\$?$`)

func newLogin(c loginConfig) (*login, error) {
	dial, err := c.dialer("login")
	if err != nil {
		return nil, err
	}
	names := &nameService{}
	return &login{
		seats:    seats{maxPerUser: orDefault(c.MaxPerUser, 8), maxTotal: orDefault(c.MaxTotal, 512), perUser: map[int64]int{}},
		dial:     dial,
		user:     func(uid int64) (string, error) { return userOf(uid, names) },
		log:      logLine,
		since:    time.Now, // with its monotonic reading: nobody can set that clock
		looking:  make(chan struct{}, 8),
		asking:   make(chan struct{}, 16),
		checking: make(chan struct{}, 16),
		lent:     map[int64]*lent{},
	}, nil
}

func (l *login) handle(conn *net.UnixConn) {
	defer conn.Close()
	uid, _, _, err := peerCred(conn)
	if err != nil {
		l.log("peer: %v", err)
		return
	}
	answer := loginAnswer{Error: "too_many", Text: "too many questions of this user, or of all, at once on this host; try again"}
	if l.enter(uid) {
		answer = l.answer(uid)
		l.leave(uid)
	}
	line, err := json.Marshal(answer)
	if err != nil {
		return
	}
	conn.SetWriteDeadline(time.Now().Add(2 * time.Second))
	conn.Write(append(line, '\n'))
}

func (l *login) answer(uid int64) loginAnswer {
	if why := nobodysUser(uid); why != "" {
		return loginAnswer{Error: "not_allowed", Text: why}
	}
	l.looking <- struct{}{}
	user, err := l.user(uid)
	<-l.looking
	if errors.Is(err, errNames) {
		l.log("uid %d: %v", uid, err)
		return loginAnswer{Error: "names_unavailable", Text: "this host's name service does not answer; try again"}
	}
	if err != nil {
		l.log("uid %d: %v", uid, err)
		return loginAnswer{Error: "not_allowed", Text: err.Error()}
	}
	entry := l.entry(uid)
	entry.mu.Lock()
	defer entry.mu.Unlock()
	if entry.user != user || !l.since().Before(entry.until) || !l.stillHolds(uid, entry) {
		entry.user = user
		entry.take(l.ask(uid, user), l.since())
	}
	told := entry.answer
	if told.Error == "" {
		told.ForMs = max(0, entry.ends.Sub(l.since()).Milliseconds())
	}
	return told
}

func (e *lent) take(answer loginAnswer, now time.Time) {
	e.answer = answer
	e.ends = now.Add(time.Duration(answer.ForMs) * time.Millisecond)
	e.until = e.ends.Add(-loginLeft)
	e.check = now
	if answer.Error != "" {
		e.until = now.Add(loginRefusedFor)
	}
}

// stillHolds is false if the gateway says that this token is good no more: revoked, or over by its clock. A gateway that says
// nothing, or is too old to know, is no such word: the token is told again, and whoever uses it is asked for it there.
func (l *login) stillHolds(uid int64, e *lent) bool {
	if e.answer.Error != "" {
		return true
	}
	// What kept it waiting may be somebody else of this user who asked just before.
	if early := e.check.Sub(l.since()); early > loginCheckEvery {
		return true
	} else if early > 0 {
		time.Sleep(early)
	}
	l.checking <- struct{}{}
	token, err := l.question(tHolds, holdsBody{UID: uid, User: e.user, Token: e.answer.Token}, loginCheckWithin)
	<-l.checking
	now := l.since()
	var said *gatewayError
	switch {
	case err == nil && token.Token == e.answer.Token:
		e.take(loginAnswer{Token: token.Token, ForMs: token.ForMs}, now)
		e.check = now.Add(loginCheckEvery)
		return now.Before(e.until)
	case errors.As(err, &said) && said.code == "not_allowed":
		l.log("uid %d: the token of %s holds no more: %s", uid, e.user, said.text)
		return false
	}
	l.log("uid %d: whether the token of %s still holds: %v", uid, e.user, err)
	e.check = now.Add(loginRefusedFor)
	return true
}

func (l *login) entry(uid int64) *lent {
	l.lentMu.Lock()
	defer l.lentMu.Unlock()
	if l.lent[uid] == nil {
		l.lent[uid] = &lent{}
	}
	return l.lent[uid]
}

func (l *login) ask(uid int64, user string) loginAnswer {
	l.asking <- struct{}{}
	defer func() { <-l.asking }()
	token, err := l.question(tLogin, loginBody{UID: uid, User: user}, loginWithin)
	if err == nil {
		l.log("uid %d: a token for %s", uid, user)
		return loginAnswer{Token: token.Token, ForMs: token.ForMs}
	}
	l.log("uid %d: no token for %s: %v", uid, user, err)
	var said *gatewayError
	if errors.As(err, &said) {
		return loginAnswer{Error: said.code, Text: said.text}
	}
	return loginAnswer{Error: "gateway_unreachable", Text: err.Error()}
}

// gatewayError is what the gateway itself said.
type gatewayError struct{ code, text string }

func (e *gatewayError) Error() string { return e.code + ": " + e.text }

func (l *login) question(typ byte, asked any, within time.Duration) (*tokenBody, error) {
	ctx, cancel := context.WithTimeout(context.Background(), min(within, relayDialTimeout))
	defer cancel()
	conn, err := l.dial(ctx)
	if err != nil {
		return nil, whyNoDial(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(within))
	frame, err := encode(typ, asked)
	if err == nil {
		_, err = conn.Write(frame)
	}
	frames := newFrameReader(conn)
	for err == nil {
		var typ byte
		var raw []byte
		if typ, raw, err = frames.next(); err != nil {
			break
		}
		var body any
		if body, err = decode(typ, raw); err != nil {
			break
		}
		switch b := body.(type) {
		case *tokenBody:
			return b, nil
		case *errorBody:
			return nil, &gatewayError{b.Code, b.Text}
		}
	}
	// In TLS 1.3 a certificate that it does not take shows only here.
	return nil, fmt.Errorf("the gateway ended the connection without an answer (%w): is this host in its api.loginHosts, and its certificate, OU=login, still good?", err)
}

func whyNoDial(err error) error {
	var invalid x509.CertificateInvalidError
	if errors.As(err, &invalid) && invalid.Reason == x509.Expired {
		return fmt.Errorf("%w; is this host's clock right?", err)
	}
	return err
}

// nobodysUser says why no name is even looked for; "" otherwise.
func nobodysUser(uid int64) string {
	overflow := int64(65534)
	if text, err := os.ReadFile("/proc/sys/kernel/overflowuid"); err == nil {
		if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil {
			overflow = n
		}
	}
	switch uid {
	case 0:
		return "root is nobody's user: ask as yourself, or bring a token in SPILLWAY_TOKEN"
	case overflow, 65534, 1<<32 - 1:
		return fmt.Sprintf("uid %d is what the kernel calls one whom it cannot name here: ask from outside of the container", uid)
	}
	return ""
}

// userOf is the name by which this host knows a uid, provided that it knows no other uid by that name.
func userOf(uid int64, names *nameService) (string, error) {
	found, err := names.account(uid)
	if err != nil {
		return "", err
	}
	if !unixUser.MatchString(found.user) || found.user == "root" {
		return "", fmt.Errorf("uid %d has no name here that a user of Slurm could have", uid)
	}
	back, err := names.uidOf(found.user)
	if err != nil {
		return "", err
	}
	if back != uid {
		return "", fmt.Errorf("uid %d is %s here, but %s is uid %d: this host's name service disagrees with itself", uid, found.user, found.user, back)
	}
	return found.user, nil
}
