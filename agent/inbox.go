package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"os"
	"sync"
)

// maxInbox bounds script and environment; Slurm's own limit for a script is 4 MB by default.
const maxInbox = 256 << 20

// inbox keeps what arrives on channel 3 or 4, to hand it to main. ACK means that it is here.
type inbox struct {
	channel int
	file    *os.File

	mu     sync.Mutex
	have   int64
	hash   hash.Hash
	closed *closeBody
	handed int64 // given to main
	told   bool  // main has the CLOSE
}

var errSum = errors.New("size or checksum differ from what arrived")

func newInbox(channel int, path string) (*inbox, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	return &inbox{channel: channel, file: file, hash: sha256.New()}, nil
}

// take keeps bytes at offset; those that it has are dropped.
func (b *inbox) take(d dataBody) (have int64, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if d.Offset > b.have {
		return b.have, errGap
	}
	skip := b.have - d.Offset
	if skip >= int64(len(d.Data)) || b.closed != nil {
		return b.have, nil
	}
	data := d.Data[skip:]
	if b.have+int64(len(data)) > maxInbox {
		return b.have, errors.New("too much")
	}
	if _, err := b.file.WriteAt(data, b.have); err != nil {
		return b.have, err
	}
	b.hash.Write(data)
	b.have += int64(len(data))
	return b.have, nil
}

// end closes the channel. A wrong sum begins it anew: something on the way was not what it said it was.
func (b *inbox) end(c closeBody) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed != nil {
		if b.closed.Size != c.Size || b.closed.Sha256 != c.Sha256 {
			return errSum
		}
		return nil
	}
	if c.Size > b.have {
		return errGap
	}
	if c.Size != b.have || c.Sha256 != hex.EncodeToString(b.hash.Sum(nil)) {
		b.have = 0
		b.hash.Reset()
		return errSum
	}
	b.closed = &c
	return nil
}

func (b *inbox) state() (have int64, closed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.have, b.closed != nil
}

// next hands it to main, as frames.
func (b *inbox) next(buf []byte) (n int, end *closeBody, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.told || b.closed == nil {
		return 0, nil, nil
	}
	size := int(min(b.closed.Size-b.handed, chunk))
	if size == 0 {
		b.told = true
		return 0, b.closed, nil
	}
	if _, err := b.file.ReadAt(buf[dataHeader:dataHeader+size], b.handed); err != nil {
		return 0, nil, err
	}
	putDataHeader(buf, b.channel, b.handed, size)
	b.handed += int64(size)
	return dataHeader + size, nil, nil
}
