package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"syscall"
	"time"
)

// relayMain is root's daemon on a burst host. It tells the gateway who the stand-in at the other end of its unix
// socket is, in words that only the kernel and the name service put into its mouth, and then copies blindly.
func relayMain() int {
	flags := flag.NewFlagSet("spill-relay", flag.ContinueOnError)
	path := flags.String("config", "", "spill.json; otherwise the one beside the executable")
	if flags.Parse(os.Args[1:]) != nil {
		return 2
	}
	if *path == "" {
		dir, err := ownDir()
		if err != nil {
			complain("%v", err)
			return 1
		}
		*path = filepath.Join(dir, "spill.json")
	}
	config, err := readHostConfig(*path, uint32(os.Getuid()))
	if err != nil {
		complain("relay: %v", err)
		return 1
	}
	debug.SetGCPercent(100) // one process a host: time is dearer than a few megabytes here
	r, err := newRelay(config)
	if err == nil {
		err = r.listenAndServe(config.RelaySocket)
	}
	complain("relay: %v", err)
	return 1
}

type relay struct {
	seats
	dial func(ctx context.Context) (net.Conn, error)
	peer func(*net.UnixConn) (peerBody, error)
	log  func(format string, args ...any)

	said   time.Time // that the gateway is unreachable
	unsaid int
}

// seats bounds the connections held open at once.
type seats struct {
	maxPerUser int
	maxTotal   int

	mu      sync.Mutex
	perUser map[int64]int
	total   int
}

const (
	relayDialTimeout = 10 * time.Second
	// So long may a stand-in's first steps take: its identity, the gateway's handshake.
	relayCopyBuffer = 16 << 10 // a TLS record; two for each connection that lives as long as its job
)

func newRelay(config hostConfig) (*relay, error) {
	c := config.Relay
	dial, err := c.dialer("relay")
	if err != nil {
		return nil, err
	}
	names := &nameService{}
	r := &relay{
		seats: seats{maxPerUser: orDefault(c.MaxPerUser, 512), maxTotal: orDefault(c.MaxTotal, 8192), perUser: map[int64]int{}},
		dial:  dial,
		peer:  func(c *net.UnixConn) (peerBody, error) { return identify(c, realProc, names) },
		log:   logLine,
	}
	return r, nil
}

// dialer calls the gateway with the files that a section of spill.json names. They are read anew for every connection, so that
// a renewed certificate needs no restart, and once now to say at start what is wrong.
func (c relayConfig) dialer(section string) (func(context.Context) (net.Conn, error), error) {
	if c.Gateway == "" || c.Cert == "" || c.Key == "" || c.CA == "" {
		return nil, fmt.Errorf("spill.json: %[1]s.gateway, %[1]s.cert, %[1]s.key and %[1]s.ca are needed", section)
	}
	if c.ServerName == "" {
		host, _, err := net.SplitHostPort(c.Gateway)
		if err != nil {
			return nil, fmt.Errorf("spill.json: %s.gateway: %w; write host:port", section, err)
		}
		c.ServerName = host
	}
	if _, err := c.tls(section); err != nil {
		return nil, err
	}
	return func(ctx context.Context) (net.Conn, error) {
		config, err := c.tls(section)
		if err != nil {
			return nil, err
		}
		d := tls.Dialer{NetDialer: &net.Dialer{KeepAlive: 20 * time.Second}, Config: config}
		return d.DialContext(ctx, "tcp", c.Gateway)
	}, nil
}

func (c relayConfig) tls(section string) (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(c.Cert, c.Key)
	if err != nil {
		return nil, fmt.Errorf("%[1]s.cert, %[1]s.key: %[2]w", section, err)
	}
	authority, err := os.ReadFile(c.CA)
	if err != nil {
		return nil, fmt.Errorf("%s.ca: %w", section, err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authority) {
		return nil, fmt.Errorf("%s.ca: no certificate in %s", section, c.CA)
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{pair}, RootCAs: roots, ServerName: c.ServerName,
	}, nil
}

func (r *relay) listenAndServe(path string) error {
	listener, err := listenToAnybody(path)
	if err != nil {
		return err
	}
	r.log("relay %s listens on %s", version, path)
	return r.serve(listener)
}

func (r *relay) serve(listener *net.UnixListener) error {
	return acceptAll(listener, r.handle, r.log)
}

// listenToAnybody: who may go on is decided by who the kernel says he is.
func listenToAnybody(path string) (*net.UnixListener, error) {
	if err := trustedDir(filepath.Dir(path), uint32(os.Getuid())); err != nil {
		return nil, err
	}
	if conn, err := net.Dial("unix", path); err == nil {
		conn.Close()
		return nil, fmt.Errorf("another one listens on %s", path)
	}
	os.Remove(path)
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	return listener, os.Chmod(path, 0o666)
}

func acceptAll(listener *net.UnixListener, handle func(*net.UnixConn), log func(format string, args ...any)) error {
	for {
		conn, err := listener.AcceptUnix()
		if errors.Is(err, net.ErrClosed) {
			return err
		}
		if err != nil { // out of descriptors, mostly: those connected go on
			log("accept: %v", err)
			time.Sleep(100 * time.Millisecond)
			continue
		}
		go handle(conn)
	}
}

func (r *relay) handle(conn *net.UnixConn) {
	defer conn.Close()
	uid, _, _, err := peerCred(conn)
	if err != nil {
		r.log("peer: %v", err)
		return
	}
	if !r.enter(uid) {
		r.log("uid %d: too many connections", uid)
		refuse(conn, "too_many", "too many connections of this user on this host")
		return
	}
	defer r.leave(uid)
	peer, err := r.peer(conn)
	if err != nil {
		r.log("uid %d: %v", uid, err)
		refuse(conn, codeOf(err), err.Error())
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), relayDialTimeout)
	gateway, err := r.dial(ctx)
	cancel()
	if err != nil {
		r.unreachable(peer.JobID, err)
		refuse(conn, "gateway_unreachable", err.Error())
		return
	}
	defer gateway.Close()
	frame, err := encode(tPeer, peer)
	if err == nil {
		_, err = gateway.Write(frame)
	}
	if err != nil {
		r.log("job %d: gateway: %v", peer.JobID, err)
		refuse(conn, "gateway_unreachable", err.Error())
		return
	}
	r.log("job %d: uid %d pid %d connected", peer.JobID, uid, peer.PID)
	join(conn, gateway)
	r.log("job %d: uid %d pid %d disconnected", peer.JobID, uid, peer.PID)
}

// codeOf: only not_a_batch_step ends a stand-in, and with it the job; after every other code it tries again. A host that has
// no descriptors or memory left just now says nothing about who called.
func codeOf(err error) string {
	if errors.Is(err, errNames) {
		return "names_unavailable"
	}
	for _, short := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.EINTR, syscall.EAGAIN} {
		if errors.Is(err, short) {
			return "busy"
		}
	}
	return "not_a_batch_step"
}

// join copies both ways until one side ends, and passes on what that side had said before.
func join(standin *net.UnixConn, gateway net.Conn) {
	ended := make(chan struct{}, 2)
	go func() {
		copyBlindly(gateway, standin)
		if half, ok := gateway.(interface{ CloseWrite() error }); ok {
			half.CloseWrite()
		}
		ended <- struct{}{}
	}()
	go func() {
		copyBlindly(standin, gateway)
		standin.CloseWrite()
		ended <- struct{}{}
	}()
	<-ended
	// The other direction gets a moment for its last words (an ERROR, a BYE), not for ever.
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
	}
}

func copyBlindly(to io.Writer, from io.Reader) {
	// Without these wrappers io.CopyBuffer would let a socket use a larger buffer of its own.
	io.CopyBuffer(struct{ io.Writer }{to}, struct{ io.Reader }{from}, make([]byte, relayCopyBuffer))
}

func refuse(conn net.Conn, code, text string) {
	frame, err := encode(tError, errorBody{Code: code, Text: text})
	if err != nil {
		return
	}
	conn.SetWriteDeadline(time.Now().Add(time.Second))
	conn.Write(frame)
}

// unreachable is said once a minute: every stand-in tries every five seconds.
func (r *relay) unreachable(job int64, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unsaid++
	if time.Since(r.said) > time.Minute {
		r.log("job %d: gateway: %v (attempts since the last such line: %d)", job, err, r.unsaid)
		r.said, r.unsaid = time.Now(), 0
	}
}

func (s *seats) enter(uid int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.total >= s.maxTotal || s.perUser[uid] >= s.maxPerUser {
		return false
	}
	s.total++
	s.perUser[uid]++
	return true
}

func (s *seats) leave(uid int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total--
	if s.perUser[uid]--; s.perUser[uid] == 0 {
		delete(s.perUser, uid)
	}
}

// logLine writes for journald or a file: one line, a time in front.
func logLine(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s %s\n", time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), fmt.Sprintf(format, args...))
}

func orDefault(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return n
}
