package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
)

// mostParts is what a store makes one object of.
const mostParts = 10_000

// partList is a file as it is sent in parts: their size (the last may be less) and their hashes, from the same reading as the hash of the whole.
type partList struct {
	size int64
	sums [][sha256.Size]byte
	sum  hash.Hash
	have int64 // of the part that is being hashed
}

// newParts: nil for a file that goes in one piece.
func newParts(size, wanted int64) *partList {
	if wanted <= 0 || size <= wanted {
		return nil
	}
	return &partList{size: max(wanted, (size+mostParts-1)/mostParts), sum: sha256.New()}
}

// write takes the file's next bytes.
func (p *partList) write(b []byte) {
	for p != nil && len(b) > 0 {
		n := min(int64(len(b)), p.size-p.have)
		p.sum.Write(b[:n])
		b = b[n:]
		if p.have += n; p.have == p.size {
			p.close()
		}
	}
}

// close ends the last part.
func (p *partList) close() {
	if p == nil || p.have == 0 {
		return
	}
	p.sums = append(p.sums, [sha256.Size]byte(p.sum.Sum(nil)))
	p.sum.Reset()
	p.have = 0
}

// part is the i-th, from 0, of a file of that size.
func (p *partList) part(i int, size int64) (at int64, part partBody) {
	at = int64(i) * p.size
	return at, partBody{Number: int64(i) + 1, Sha256: hex.EncodeToString(p.sums[i][:]), Size: min(p.size, size-at)}
}

// partTries is how often an upload is looked for anew: somebody else may have completed it, or a sweep given it up.
const partTries = 4

var errParts = errors.New("the store does not keep the parts of it that were sent")

// putParts sends what the store has not; what an earlier try has brought there stays there. That it is whole is the gateway's to see to.
func (c *carrier) putParts(ctx context.Context, file io.ReaderAt, blob blobBody, parts *partList) error {
	marks := make([]*mark, len(parts.sums))
	for i := range marks {
		marks[i] = c.progress.mark()
	}
	for range partTries {
		for _, method := range []string{"put", "join"} {
			signed, err := c.sign(ctx, question{method: method, blob: blob, parts: len(parts.sums)})
			switch {
			case err != nil:
				return err
			case signed.Refused != "":
				return &refusal{signed.Refused}
			case signed.There:
				for i, m := range marks {
					_, part := parts.part(i, blob.Size)
					m.reach(part.Size)
				}
				return nil
			case method == "join":
				continue // something is missing
			}
			if err := c.eachPart(ctx, file, blob, parts, marks); errors.Is(err, errGone) {
				break
			} else if err != nil {
				return err
			}
		}
	}
	return errParts
}

func (c *carrier) eachPart(ctx context.Context, file io.ReaderAt, blob blobBody, parts *partList, marks []*mark) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	each(len(parts.sums), func(i int) {
		if ctx.Err() != nil {
			return
		}
		at, part := parts.part(i, blob.Size)
		section := io.NewSectionReader(file, at, part.Size)
		if err := c.putPiece(ctx, section, question{method: "put", blob: blob, part: &part}, marks[i]); err != nil {
			stop(err)
		}
	})
	return context.Cause(ctx)
}
