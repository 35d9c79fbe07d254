package main

import (
	"encoding/json"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
)

// The talk between main and keeper on their unix socket. Frames are the protocol's; keeper → main are its START,
// DATA and CLOSE of channels 3 and 4, and SIGNAL; main → keeper are SIGNALLED and the types below, which exist
// nowhere else.
const (
	tInnerMain    = 64 // main's first frame
	tInnerPipes   = 65 // with the read ends of the script's outputs, one if joined
	tInnerStarted = 66
	tInnerExited  = 67 // main's last
	tInnerTeam    = 68 // keeper → main, in the place of a START that has a team
)

// innerTiming: both ends live and die with one pod; no pings are needed.
var innerTiming = timing{hello: protocolTiming.hello}

type innerMain struct {
	PID   int    `json:"pid"`
	Fault string `json:"fault,omitempty"` // why no script will ever run here
}

type innerPipes struct {
	Files int `json:"files"`
}

type innerStarted struct {
	PID int `json:"pid"`
}

// innerExited has a code or a signal; Reason says why a script did not even start.
type innerExited struct {
	Code   *int        `json:"code,omitempty"`
	Signal *int        `json:"signal,omitempty"`
	Reason string      `json:"reason,omitempty"`
	Rusage *rusageBody `json:"rusage,omitempty"`
}

// innerTeam is START, and the key that main shares with the job's other pods and with nobody else. One frame: DATA
// may follow START at once.
type innerTeam struct {
	Start startBody `json:"start"`
	Key   string    `json:"key"`
}

func decodeInner(typ byte, text []byte) (any, error) {
	var body any
	switch typ {
	case tInnerMain:
		body = new(innerMain)
	case tInnerPipes:
		body = new(innerPipes)
	case tInnerStarted:
		body = new(innerStarted)
	case tInnerExited:
		body = new(innerExited)
	case tInnerTeam:
		body = new(innerTeam)
	default:
		return decode(typ, text)
	}
	if err := json.Unmarshal(text, body); err != nil {
		return nil, malformed("type %d: %v", typ, err)
	}
	return body, nil
}

func newInnerLink(conn net.Conn, nextData func() int) *link {
	l := newLink(conn, innerTiming, nextData)
	l.decode = decodeInner
	return l
}

// fileConn is a unix connection that keeps the open files passed to it, in the order they came.
type fileConn struct {
	*net.UnixConn
	mu    sync.Mutex
	files []*os.File
}

func (c *fileConn) Read(p []byte) (int, error) {
	oob := make([]byte, syscall.CmsgSpace(2*4))
	n, oobn, _, _, err := c.ReadMsgUnix(p, oob)
	if n == 0 && err == nil && len(p) > 0 {
		return 0, io.EOF
	}
	if oobn > 0 {
		c.keep(oob[:oobn])
	}
	return max(n, 0), err // it gives -1 with an error, which readers may not
}

func (c *fileConn) keep(oob []byte) {
	messages, err := syscall.ParseSocketControlMessage(oob)
	if err != nil {
		return
	}
	for i := range messages {
		fds, err := syscall.ParseUnixRights(&messages[i])
		if err != nil {
			continue
		}
		c.mu.Lock()
		for _, fd := range fds {
			syscall.CloseOnExec(fd)
			// A pipe that the runtime polls can be waited for without a thread of its own.
			syscall.SetNonblock(fd, true)
			c.files = append(c.files, os.NewFile(uintptr(fd), "output"))
		}
		c.mu.Unlock()
	}
}

// take gives the next n files, nil if fewer came.
func (c *fileConn) take(n int) []*os.File {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n < 0 || n > len(c.files) {
		return nil
	}
	taken := c.files[:n:n]
	c.files = c.files[n:]
	return taken
}
