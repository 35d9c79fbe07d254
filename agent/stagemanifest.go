package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"
)

// entry is one line of a manifest.
type entry struct {
	// Root is which of the paths it belongs to, Path where below it; "" is the path itself.
	Root int     `json:"r"`
	Path bytes64 `json:"p"`
	Type string  `json:"t"` // d, f or l
	Mode uint32  `json:"m,omitempty"`
	Time int64   `json:"n,omitempty"` // nanoseconds since the epoch
	Size int64   `json:"s,omitempty"`
	Sum  string  `json:"h,omitempty"`
	To   bytes64 `json:"l,omitempty"` // of a symlink
}

// manifestHead is its first line.
type manifestHead struct {
	V     int       `json:"v"`
	Paths []bytes64 `json:"paths"`
}

// parts gives the steps to it; an error if it could lead anywhere else.
func (e *entry) parts() ([]string, error) {
	if len(e.Path) == 0 {
		return nil, nil
	}
	parts := strings.Split(string(e.Path), "/")
	for _, p := range parts {
		if p == "" || p == "." || p == ".." || strings.ContainsRune(p, 0) {
			return nil, fmt.Errorf("the manifest has %q in it", e.Path)
		}
	}
	return parts, nil
}

// manifest is written to, or read from, what has no name: a tree may have more entries than memory should hold.
type manifest struct {
	file *draft
	out  *bufio.Writer
	sum  hash.Hash
	size int64
}

// maxManifest is about a million entries; maxLine is of one of them, whose path has maxPath bytes at most, maxHead of the first line.
const maxManifest, maxLine, maxPath, maxHead = 256 << 20, 64 << 10, 40_000, 1 << 20

func newManifest(inMemory bool) *manifest {
	file := &draft{stays: inMemory}
	return &manifest{file: file, out: bufio.NewWriter(io.NewOffsetWriter(file, 0)), sum: sha256.New()}
}

func (m *manifest) add(line any) error {
	text, err := json.Marshal(line)
	if err != nil {
		return err
	}
	text = append(text, '\n')
	m.sum.Write(text)
	m.size += int64(len(text))
	_, err = m.out.Write(text)
	return err
}

func (m *manifest) blob() (blobBody, error) {
	return blobBody{hex.EncodeToString(m.sum.Sum(nil)), m.size}, m.out.Flush()
}

// each reads a manifest from its beginning.
func (m *manifest) each(paths int, with func(e *entry) error) error {
	from := bufio.NewReaderSize(io.NewSectionReader(m.file, 0, maxManifest+1), maxLine)
	var head manifestHead
	line, err := readLine(from, maxHead)
	if err != nil || json.Unmarshal(line, &head) != nil || head.V != 1 || len(head.Paths) != paths {
		return errors.New("the manifest is none that this version reads")
	}
	for {
		line, err := readLine(from, maxLine)
		if errors.Is(err, io.EOF) {
			return nil
		}
		e := new(entry)
		if err == nil {
			err = json.Unmarshal(line, e)
		}
		switch {
		case err != nil:
			return fmt.Errorf("the manifest: %w", err)
		case e.Root < 0 || e.Root >= paths || e.Size < 0 || e.Type == "f" && !isHex(e.Sum, 64):
			return errors.New("the manifest has an entry that is none")
		}
		if err := with(e); err != nil {
			return err
		}
	}
}

// readLine gives the next line, which is good until the one after it; an error, before it is in memory, if it is longer than that.
func readLine(from *bufio.Reader, most int) ([]byte, error) {
	var whole []byte
	for {
		part, err := from.ReadSlice('\n')
		if len(whole)+len(part) > most {
			return nil, errors.New("a line is longer than any that this version writes")
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			whole = append(whole, part...)
			continue
		}
		if errors.Is(err, io.EOF) && len(whole)+len(part) > 0 {
			err = nil // the last need not end
		}
		if whole == nil {
			return part, err
		}
		return append(whole, part...), err
	}
}
