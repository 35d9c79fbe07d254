package main

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"
)

// Section 11: how two pods of one job know each other. Both show that they hold the team's key over both nonces and
// the rank that was called; from then on everything is sealed by keys that come of those nonces. So what was
// recorded on one connection is worth nothing on another, nothing can be put into one, and the environment that a
// step takes along is not read on the way.

const (
	roleCaller = "caller"
	roleNode   = "node"

	handshakeLimit = 1024     // bytes of a frame from a stranger
	sealedPiece    = 64 << 10 // bytes of plain text in a record
)

// handshakeTime is how long a stranger may take.
var handshakeTime = 5 * time.Second

var errWrongKey = errors.New("it does not hold this job's key")

func stepMac(key []byte, role string, rank int, own, other string) []byte {
	h := hmac.New(sha256.New, key)
	fmt.Fprintf(h, "spill step\n%s\n%d\n%s\n%s", role, rank, own, other)
	return h.Sum(nil)
}

// handshake gives the sealed connection. `rank` is that of the node, whichever side this is.
func handshake(conn net.Conn, key []byte, role string, rank int) (net.Conn, error) {
	conn.SetDeadline(time.Now().Add(handshakeTime))
	own := newNonce()
	if err := writeFrame(conn, tStepHello, stepHello{V: []int{stepVersion}, Role: role, Nonce: own}); err != nil {
		return nil, err
	}
	var hello stepHello
	if err := readFrame(conn, tStepHello, &hello); err != nil {
		return nil, err
	}
	other := roleNode
	if role == roleNode {
		other = roleCaller
	}
	switch {
	case hello.Role != other || !isHex(hello.Nonce, 32):
		return nil, malformed("%q instead of a %s's hello", hello.Role, other)
	case len(hello.V) == 0 || hello.V[0] != stepVersion:
		return nil, fmt.Errorf("it speaks version %v, this side %d", hello.V, stepVersion)
	}
	if err := prove(conn, key, role, other, rank, own, hello.Nonce); err != nil {
		return nil, err
	}
	conn.SetDeadline(time.Time{})
	caller, node := own, hello.Nonce
	if role == roleNode {
		caller, node = node, caller
	}
	return seal(conn, key, role, other, caller+"\n"+node)
}

// prove: the caller goes first, so a node says nothing that depends on the key to who does not hold it.
func prove(conn net.Conn, key []byte, role, other string, rank int, own, theirs string) error {
	tell := func() error {
		return writeFrame(conn, tAuth, authBody{Mac: fmt.Sprintf("%x", stepMac(key, role, rank, own, theirs))})
	}
	if role == roleCaller {
		if err := tell(); err != nil {
			return err
		}
	}
	var auth authBody
	if err := readFrame(conn, tAuth, &auth); err != nil {
		return err
	}
	want := fmt.Sprintf("%x", stepMac(key, other, rank, theirs, own))
	if subtle.ConstantTimeCompare([]byte(want), []byte(auth.Mac)) != 1 {
		return errWrongKey
	}
	if role == roleNode {
		return tell()
	}
	return nil
}

func writeFrame(w io.Writer, typ byte, body any) error {
	frame, err := encode(typ, body)
	if err != nil {
		return err
	}
	_, err = w.Write(frame)
	return err
}

// readFrame reads no byte beyond the frame: what follows may be sealed.
func readFrame(r io.Reader, typ byte, into any) error {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	length := binary.BigEndian.Uint32(head[:4])
	if length == 0 || length > handshakeLimit {
		return &frameError{"too_long", fmt.Sprintf("%d bytes before the key was shown", length)}
	}
	body := make([]byte, length-1)
	if _, err := io.ReadFull(r, body); err != nil {
		return err
	}
	if head[4] != typ {
		return malformed("type %d instead of %d", head[4], typ)
	}
	return strictInto(body, into)
}

// sealedConn is AES-256-GCM over a connection: records of `u32 length · sealed bytes`, numbered from 0 each way.
type sealedConn struct {
	net.Conn
	out, in   cipher.AEAD
	sent, got uint64
	writing   sync.Mutex
	record    []byte // sealed, as it came
	plain     []byte // opened, not yet read
	buffer    []byte
}

func seal(conn net.Conn, key []byte, own, other, nonces string) (net.Conn, error) {
	out, err := sealer(key, own, nonces)
	if err != nil {
		return nil, err
	}
	in, err := sealer(key, other, nonces)
	return &sealedConn{Conn: conn, out: out, in: in}, err
}

func sealer(key []byte, role, nonces string) (cipher.AEAD, error) {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(strings.Join([]string{"spill seal", role, nonces}, "\n")))
	block, err := aes.NewCipher(h.Sum(nil))
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

func counter(n uint64) []byte {
	return binary.BigEndian.AppendUint64(make([]byte, 4, 12), n)
}

func (c *sealedConn) Write(p []byte) (n int, err error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	for len(p) > 0 {
		piece := p[:min(len(p), sealedPiece)]
		c.buffer = binary.BigEndian.AppendUint32(c.buffer[:0], uint32(len(piece)+c.out.Overhead()))
		c.buffer = c.out.Seal(c.buffer, counter(c.sent), piece, nil)
		c.sent++
		if _, err := c.Conn.Write(c.buffer); err != nil {
			return n, err
		}
		n += len(piece)
		p = p[len(piece):]
	}
	return n, nil
}

func (c *sealedConn) Read(p []byte) (int, error) {
	for len(c.plain) == 0 {
		if err := c.open(); err != nil {
			return 0, err
		}
	}
	n := copy(p, c.plain)
	c.plain = c.plain[n:]
	return n, nil
}

func (c *sealedConn) open() error {
	var head [4]byte
	if _, err := io.ReadFull(c.Conn, head[:]); err != nil {
		return err
	}
	length := int(binary.BigEndian.Uint32(head[:]))
	if length > sealedPiece+c.in.Overhead() {
		return &frameError{"too_long", fmt.Sprintf("a record of %d bytes", length)}
	}
	if cap(c.record) < length {
		c.record = make([]byte, length)
	}
	c.record = c.record[:length]
	if _, err := io.ReadFull(c.Conn, c.record); err != nil {
		return torn(err, false)
	}
	plain, err := c.in.Open(c.record[:0], counter(c.got), c.record, nil)
	if err != nil {
		return errors.New("a record that the other side did not send")
	}
	c.got++
	c.plain = plain
	return nil
}

// CloseWrite lets the other side read to the end.
func (c *sealedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Conn.Close()
}
