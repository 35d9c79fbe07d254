package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Frame types, as in protocol/spill.md. Types of the inner talk between main and keeper start at 64.
const (
	tHello     = 1
	tError     = 2
	tAuth      = 3
	tPeer      = 4
	tOpen      = 5
	tWait      = 6
	tRefuse    = 7
	tGo        = 8
	tData      = 9
	tAck       = 10
	tStart     = 11
	tStarted   = 12
	tResume    = 13
	tSignal    = 14
	tSignalled = 15
	tExit      = 16
	tBye       = 17
	tPing      = 18
	tPong      = 19
	tClose     = 20
	tReady     = 21
	tStage     = 22
	tBlobs     = 23
	tSigned    = 24
	tStaged    = 25
	tLogin     = 26
	tToken     = 27
	tHolds     = 28
	tCarried   = 128 // an older gateway ignores it
	tCall      = 129 // so does whoever is older than section 14
	tCalled    = 130
)

const (
	maxFrame   = 1 << 20   // type and body
	chunk      = 64 << 10  // bytes of DATA in a frame, by habit
	window     = 1 << 20   // unacknowledged bytes a channel on the wire
	maxOffset  = 1<<53 - 1 // what a JSON number holds exactly
	dataHeader = 14        // length, type, channel, offset
)

// Channels.
const (
	chOut    = 1
	chErr    = 2
	chScript = 3
	chEnv    = 4
)

// frameError is a breach of the framing rules: fatal for the connection. Its reason is one of the vectors'.
type frameError struct{ reason, detail string }

func (e *frameError) Error() string {
	if e.detail == "" {
		return "frame " + e.reason
	}
	return "frame " + e.reason + ": " + e.detail
}

func malformed(format string, args ...any) error {
	return &frameError{"malformed", fmt.Sprintf(format, args...)}
}

// frameReader splits a stream into frames. The body that next returns is valid until the next call.
type frameReader struct {
	r     *bufio.Reader
	body  []byte
	limit uint32
}

func newFrameReader(r io.Reader) *frameReader {
	return &frameReader{r: bufio.NewReaderSize(r, 4096), limit: maxFrame}
}

// next returns io.EOF only at a frame's border.
func (f *frameReader) next() (typ byte, body []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(f.r, head[:4]); err != nil {
		return 0, nil, torn(err, err == io.EOF)
	}
	length := binary.BigEndian.Uint32(head[:4])
	if length == 0 {
		return 0, nil, &frameError{"empty", ""}
	}
	if length > f.limit {
		return 0, nil, &frameError{"too_long", fmt.Sprintf("%d bytes", length)}
	}
	if _, err := io.ReadFull(f.r, head[4:]); err != nil {
		return 0, nil, torn(err, false)
	}
	n := int(length) - 1
	switch {
	case n > cap(f.body):
		f.body = make([]byte, n, max(n, int(min(f.limit, chunk+dataHeader))))
	case cap(f.body) > 2*chunk && n <= chunk+dataHeader:
		// One huge START must not stay in memory for as long as the job runs.
		f.body = make([]byte, n, chunk+dataHeader)
	}
	f.body = f.body[:n]
	if _, err := io.ReadFull(f.r, f.body); err != nil {
		return 0, nil, torn(err, false)
	}
	return head[4], f.body, nil
}

func torn(err error, atBorder bool) error {
	if atBorder {
		return io.EOF
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &frameError{"truncated", ""}
	}
	return err
}

// encode gives a whole frame. It fails only where a body is longer than a frame may be.
func encode(typ byte, body any) ([]byte, error) {
	text, err := encodeJSON(body)
	if err != nil {
		return nil, err
	}
	if len(text)+1 > maxFrame {
		return nil, &frameError{"too_long", fmt.Sprintf("type %d of %d bytes", typ, len(text))}
	}
	frame := make([]byte, 0, 5+len(text))
	frame = binary.BigEndian.AppendUint32(frame, uint32(len(text)+1))
	frame = append(frame, typ)
	return append(frame, text...), nil
}

// putDataHeader fills frame[:dataHeader] for n bytes that follow it in place, so that one write sends both.
func putDataHeader(frame []byte, channel int, offset int64, n int) {
	binary.BigEndian.PutUint32(frame, uint32(n+10))
	frame[4] = tData
	frame[5] = byte(channel)
	binary.BigEndian.PutUint64(frame[6:], uint64(offset))
}

type dataBody struct {
	Channel int
	Offset  int64
	Data    []byte
}

func parseData(body []byte) (dataBody, error) {
	if len(body) < 10 {
		return dataBody{}, malformed("DATA of %d bytes", len(body))
	}
	offset := binary.BigEndian.Uint64(body[1:])
	d := dataBody{Channel: int(body[0]), Data: body[9:]}
	if d.Channel < chOut || d.Channel > chEnv {
		return d, malformed("channel %d", d.Channel)
	}
	if offset > maxOffset {
		return d, malformed("offset %d", offset)
	}
	d.Offset = int64(offset)
	return d, nil
}

func encodeJSON(v any) ([]byte, error) {
	var out jsonBuffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false) // both sides write the same bytes, and JSON.stringify leaves <, > and & alone
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return out[:len(out)-1], nil
}

type jsonBuffer []byte

func (b *jsonBuffer) Write(p []byte) (int, error) { *b = append(*b, p...); return len(p), nil }
