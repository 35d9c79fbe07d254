package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"sync"
)

// input is what the stand-in sends on channel 3 or 4. It stays where it lies (the spooled script, the process's
// own environment block), is read anew for every connection, and so takes no memory.
type input struct {
	channel int
	source  io.ReaderAt
	skip    int64 // bytes in front that are not sent

	mu     sync.Mutex
	sent   int64
	acked  int64
	ended  bool // nothing more to read: closed says what it was
	closed closeBody
}

// restart begins at the offset that the far side has.
func (in *input) restart(have int64) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.sent, in.acked, in.ended = have, have, false
}

func (in *input) acknowledge(offset int64) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.acked = max(in.acked, min(offset, in.sent))
}

// next fills buf with a DATA frame. At the end it gives the CLOSE, once for each restart.
func (in *input) next(buf []byte) (n int, end *closeBody, err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	room := window - (in.sent - in.acked)
	if in.ended || room <= 0 {
		return 0, nil, nil
	}
	data := buf[dataHeader : dataHeader+int(min(room, chunk))]
	n, err = in.source.ReadAt(data, in.skip+in.sent)
	if n > 0 {
		putDataHeader(buf, in.channel, in.sent, n)
		in.sent += int64(n)
		return dataHeader + n, nil, nil
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, nil, err
	}
	in.ended = true
	if in.closed.Channel == 0 {
		if in.closed, err = in.sum(); err != nil {
			return 0, nil, err
		}
	}
	return 0, &in.closed, nil
}

func (in *input) sum() (closeBody, error) {
	h := sha256.New()
	size, err := io.CopyBuffer(struct{ io.Writer }{h}, io.NewSectionReader(in.source, in.skip, maxOffset), make([]byte, 16<<10))
	return closeBody{Channel: in.channel, Size: size, Sha256: hex.EncodeToString(h.Sum(nil))}, err
}
