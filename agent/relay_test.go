package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// authority makes certificates for one test.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t, dir: t.TempDir()}
	a.key, a.cert = a.sign("ca", &x509.Certificate{IsCA: true, KeyUsage: x509.KeyUsageCertSign, BasicConstraintsValid: true})
	return a
}

// sign writes NAME.crt and NAME.key.
func (a *authority) sign(name string, template *x509.Certificate) (*ecdsa.PrivateKey, *x509.Certificate) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.Subject = pkix.Name{CommonName: name}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	for suffix, block := range map[string]*pem.Block{".crt": {Type: "CERTIFICATE", Bytes: der}, ".key": {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(a.path(name+suffix), pem.EncodeToMemory(block), 0o600); err != nil {
			a.t.Fatal(err)
		}
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return key, cert
}

func (a *authority) path(name string) string { return filepath.Join(a.dir, name) }

// listen is a gateway's listener for relays.
func (a *authority) listen(maxVersion uint16) net.Listener {
	a.t.Helper()
	a.sign("gateway", &x509.Certificate{DNSNames: []string{"gateway.test"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	pair, err := tls.LoadX509KeyPair(a.path("gateway.crt"), a.path("gateway.key"))
	if err != nil {
		a.t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(a.cert)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: roots, MaxVersion: maxVersion,
	})
	if err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() { l.Close() })
	return l
}

func (a *authority) relayConfig(gateway string) hostConfig {
	a.sign("relay", &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	return hostConfig{Relay: relayConfig{
		Gateway: gateway, Cert: a.path("relay.crt"), Key: a.path("relay.key"), CA: a.path("ca.crt"), ServerName: "gateway.test",
	}}
}

// startRelay serves with a peer of the test's choice.
func startRelay(t *testing.T, config hostConfig, peer func(*net.UnixConn) (peerBody, error), change ...func(*relay)) (*relay, string) {
	t.Helper()
	r, err := newRelay(config)
	if err != nil {
		t.Fatal(err)
	}
	r.log = t.Logf
	r.peer = peer
	for _, c := range change {
		c(r)
	}
	path := t.TempDir() + "/relay.sock"
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() { r.serve(listener); close(served) }()
	t.Cleanup(func() {
		listener.Close()
		<-served
		await(t, "the relay's connections to end", func() bool { r.mu.Lock(); defer r.mu.Unlock(); return r.total == 0 })
	})
	return r, path
}

func alice(*net.UnixConn) (peerBody, error) {
	return peerBody{UID: 2001, GID: 2001, Groups: []namedGroup{{2001, "alice"}}, User: "alice", JobID: 42, PID: 7, Host: "h"}, nil
}

func dialUnix(t *testing.T, path string) *net.UnixConn {
	t.Helper()
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	return conn
}

func readError(t *testing.T, conn net.Conn) string {
	t.Helper()
	typ, body, err := newFrameReader(conn).next()
	if err != nil || typ != tError {
		t.Fatalf("type %d, %v", typ, err)
	}
	decoded, err := decode(typ, body)
	if err != nil {
		t.Fatal(err)
	}
	return decoded.(*errorBody).Code
}

func TestTheRelaySaysWhoItIsAndCopiesBlindly(t *testing.T) {
	a := newAuthority(t)
	gateway := a.listen(0)
	_, path := startRelay(t, a.relayConfig(gateway.Addr().String()), alice)
	sent := make([]byte, 3<<20)
	rand.Read(sent)
	got := make(chan []byte, 1)
	go func() {
		conn, err := gateway.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		frames := newFrameReader(conn)
		typ, body, err := frames.next()
		if err != nil || typ != tPeer || !bytes.Contains(body, []byte(`"jobId":42`)) {
			t.Errorf("PEER is type %d, %s, %v", typ, body, err)
		}
		if state := conn.(*tls.Conn).ConnectionState(); state.Version != tls.VersionTLS13 || state.PeerCertificates[0].Subject.CommonName != "relay" {
			t.Errorf("%+v", state)
		}
		back := make(chan struct{})
		go func() { conn.Write(sent[:1<<20]); close(back) }()
		all, _ := io.ReadAll(frames.r)
		<-back
		got <- all
	}()
	conn := dialUnix(t, path)
	go func() { conn.Write(sent); conn.CloseWrite() }()
	back, err := io.ReadAll(conn)
	if err != nil || !bytes.Equal(back, sent[:1<<20]) {
		t.Errorf("%d bytes came back, %v", len(back), err)
	}
	if all := <-got; !bytes.Equal(all, sent) {
		t.Errorf("%d bytes arrived", len(all))
	}
}

func TestTheRelayTellsWhyItRefuses(t *testing.T) {
	a := newAuthority(t)
	nobody := freePort(t)
	config := a.relayConfig("127.0.0.1:" + nobody)
	_, path := startRelay(t, config, alice)
	if code := readError(t, dialUnix(t, path)); code != "gateway_unreachable" {
		t.Error(code)
	}
	_, path = startRelay(t, config, func(*net.UnixConn) (peerBody, error) { return peerBody{}, errors.New("no batch step") })
	if code := readError(t, dialUnix(t, path)); code != "not_a_batch_step" {
		t.Error(code)
	}
	_, path = startRelay(t, config, func(*net.UnixConn) (peerBody, error) { return peerBody{}, fmt.Errorf("%w: ldap", errNames) })
	if code := readError(t, dialUnix(t, path)); code != "names_unavailable" {
		t.Error(code)
	}
	// Out of descriptors while it reads /proc: no word about the step, so no end of the job.
	full := &os.PathError{Op: "open", Path: "/proc/4711/status", Err: syscall.EMFILE}
	_, path = startRelay(t, config, func(*net.UnixConn) (peerBody, error) {
		return peerBody{}, fmt.Errorf("process 4711 is no child of a batch step: %w", full)
	})
	if code := readError(t, dialUnix(t, path)); code != "busy" {
		t.Error(code)
	}
}

func TestAGatewayThatIsNotOursIsUnreachable(t *testing.T) {
	a := newAuthority(t)
	accept := func(l net.Listener) {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() { io.Copy(io.Discard, conn); conn.Close() }()
		}
	}
	old := a.listen(tls.VersionTLS12)
	go accept(old)
	_, path := startRelay(t, a.relayConfig(old.Addr().String()), alice)
	if code := readError(t, dialUnix(t, path)); code != "gateway_unreachable" {
		t.Errorf("TLS 1.2: %s", code)
	}
	gateway := a.listen(0)
	go accept(gateway)
	config := a.relayConfig(gateway.Addr().String())
	config.Relay.ServerName = "another.test"
	_, path = startRelay(t, config, alice)
	if code := readError(t, dialUnix(t, path)); code != "gateway_unreachable" {
		t.Errorf("another name: %s", code)
	}
	config = newAuthority(t).relayConfig(gateway.Addr().String())
	_, path = startRelay(t, config, alice)
	if code := readError(t, dialUnix(t, path)); code != "gateway_unreachable" {
		t.Errorf("another authority: %s", code)
	}
}

func TestOneUserCannotTakeAllConnections(t *testing.T) {
	a := newAuthority(t)
	config := a.relayConfig("127.0.0.1:1")
	config.Relay.MaxPerUser = 3
	near := make(chan net.Conn, 16)
	r, path := startRelay(t, config, alice, func(r *relay) {
		r.dial = func(context.Context) (net.Conn, error) {
			relaySide, gatewaySide := socketPair(t)
			near <- gatewaySide
			go func() { io.Copy(io.Discard, gatewaySide); gatewaySide.Close() }()
			return relaySide, nil
		}
	})
	var held []*net.UnixConn
	for range 3 {
		held = append(held, dialUnix(t, path))
		<-near
	}
	if code := readError(t, dialUnix(t, path)); code != "too_many" {
		t.Fatal(code)
	}
	held[0].Close()
	await(t, "room", func() bool { r.mu.Lock(); defer r.mu.Unlock(); return r.total == 2 })
	dialUnix(t, path)
	<-near
}

func TestIdentityComesFromTheKernelAndTheNameService(t *testing.T) {
	near, far := socketPair(t)
	defer far.Close()
	p := newFakeProc(t)
	stepd := p.binary("slurmstepd", 0o755)
	me := fmt.Sprint(os.Getuid())
	mine := fakeProcess{title: "spill-standin", name: "spill-standin", uid: strings.Join([]string{me, me, me, me}, "\t"), parent: 10, start: 5}
	p.add(os.Getpid(), mine)
	names := &nameService{}
	if _, err := identify(near, p.procFS, names); err == nil {
		t.Fatal("a parent that is not there")
	}
	p.add(10, fakeProcess{title: "bash", name: "bash", exe: p.binary("bash", 0o755)})
	if _, err := identify(near, p.procFS, names); err == nil {
		t.Fatal("a shell is no batch step")
	}
	p.add(10, fakeProcess{title: "slurmstepd: [4711.batch]", name: "slurmstepd", exe: stepd})
	peer, err := identify(near, p.procFS, names)
	if err != nil {
		t.Fatal(err)
	}
	if peer.JobID != 4711 || peer.UID != int64(os.Getuid()) || peer.PID != int64(os.Getpid()) || peer.User == "" || peer.Groups[0].Gid != int64(os.Getgid()) {
		t.Fatalf("%+v", peer)
	}
	groups, _ := os.Getgroups()
	for _, gid := range groups {
		found := false
		for _, g := range peer.Groups {
			found = found || g.Gid == int64(gid)
		}
		if !found {
			t.Errorf("group %d is missing in %+v", gid, peer.Groups)
		}
	}
	// The pid was given to a process of another user.
	mine.uid = "4000000\t4000000\t4000000\t4000000"
	p.add(os.Getpid(), mine)
	if _, err := identify(near, p.procFS, names); err == nil {
		t.Fatal("another user's process")
	}
}

func socketPair(t *testing.T) (near, far *net.UnixConn) {
	t.Helper()
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: t.TempDir() + "/s", Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	far = dialUnix(t, listener.Addr().String())
	near, err = listener.AcceptUnix()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close() })
	return near, far
}

func TestAnUnknownUidHasNoName(t *testing.T) {
	names := &nameService{}
	if _, err := names.account(3_999_999_999); err == nil || errors.Is(err, errNames) {
		t.Fatalf("%v: an answer, and it is no", err)
	}
	groups, err := names.groups([]int64{0, 3_999_999_999})
	if err != nil || groups[0].Name != "root" || groups[1].Name != "" {
		t.Fatalf("%+v, %v", groups, err)
	}
}

func TestTheSocketIsForAllInAFolderOfRoots(t *testing.T) {
	a := newAuthority(t)
	r, err := newRelay(a.relayConfig("127.0.0.1:1"))
	if err != nil {
		t.Fatal(err)
	}
	r.log = t.Logf
	dir := t.TempDir()
	os.Chmod(dir, 0o777)
	if err := r.listenAndServe(dir + "/relay.sock"); err == nil {
		t.Fatal("anybody could put a socket of his own there")
	}
	os.Chmod(dir, 0o755)
	os.WriteFile(dir+"/relay.sock", nil, 0o600) // left by one that was killed
	go r.listenAndServe(dir + "/relay.sock")
	await(t, "the socket", func() bool {
		info, err := os.Stat(dir + "/relay.sock")
		return err == nil && info.Mode().Type() == os.ModeSocket && info.Mode().Perm() == 0o666
	})
	if err := r.listenAndServe(dir + "/relay.sock"); err == nil || !strings.Contains(err.Error(), "another one") {
		t.Fatal(err)
	}
}

func TestARelayWithoutItsFilesSaysWhich(t *testing.T) {
	a := newAuthority(t)
	for what, change := range map[string]func(*relayConfig){
		"relay.cert": func(c *relayConfig) { c.Cert = "/no/such" },
		"relay.key":  func(c *relayConfig) { c.Key = "/no/such" },
		"relay.ca":   func(c *relayConfig) { c.CA = a.path("ca.key") },
		"gateway":    func(c *relayConfig) { c.Gateway = "" },
		"host:port":  func(c *relayConfig) { c.Gateway, c.ServerName = "nowhere", "" },
	} {
		config := a.relayConfig("127.0.0.1:1")
		change(&config.Relay)
		if _, err := newRelay(config); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
