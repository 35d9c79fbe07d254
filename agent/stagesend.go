package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// parallel is how many contents are on their way at once, batch how many are asked for at once: each is an open file.
const parallel, batch = 4, 32

// maxPut is what a store takes in one piece, maxWhole what it makes of parts.
const maxPut, maxWhole = 5 << 30, 5 << 40

// changes is how often a file is read that changes meanwhile.
const changes = 3

// sending walks what is named, hashes it, and sends what the store has not.
type sending struct {
	order *stageBody
	*carrier
	manifest *manifest
	told     *lines
	files    int64
	bytes    int64
	waiting  []*outgoingFile
	// brought and as it was then is no result; nil where all counts.
	brought *names
	// inMemory: where the list finds no room on a disk.
	inMemory bool
}

type outgoingFile struct {
	entry *entry
	file  *os.File
	where string
	parts *partList
	read  *mark
}

// leftOut: of a job's results what cannot be sent is told of; of what it needs, nothing may be missing.
func (s *sending) leftOut(where string, err error) error {
	if s.order.Strict {
		return fmt.Errorf("%s: %w", shown(where), plain(err))
	}
	s.told.add("%s was not carried: %v", shown(where), plain(err))
	return nil
}

// plain is an error without the name of the file, which the line has already.
func plain(err error) error {
	var of *os.PathError
	if errors.As(err, &of) {
		return of.Err
	}
	return err
}

func (s *sending) run(ctx context.Context) (blobBody, error) {
	var none blobBody
	s.manifest = newManifest(s.inMemory)
	defer s.manifest.file.Close()
	defer s.drop()
	if err := s.manifest.add(manifestHead{1, s.order.Paths}); err != nil {
		return none, err
	}
	for i, path := range s.order.Paths {
		if err := s.root(ctx, i, string(path)); err != nil {
			return none, err
		}
	}
	if err := s.flush(ctx); err != nil {
		return none, err
	}
	blob, err := s.manifest.blob()
	if err != nil {
		return none, err
	}
	if blob.Size > maxManifest {
		return none, errors.New("more files are named than one manifest holds")
	}
	return blob, s.put(ctx, s.manifest.file, blob, true, nil)
}

func (s *sending) drop() {
	for _, w := range s.waiting {
		w.file.Close()
	}
	s.waiting = nil
}

func (s *sending) root(ctx context.Context, i int, path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return s.leftOut(path, err)
	}
	e := &entry{Root: i}
	if info.IsDir() {
		dir, err := openFolder(path)
		if err != nil {
			return s.leftOut(path, err)
		}
		defer dir.Close()
		return s.walk(ctx, dir, e, path)
	}
	// A path that is a symlink is what it leads to.
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return s.leftOut(path, err)
	}
	dir, err := openFolder(filepath.Dir(path))
	if err != nil {
		return s.leftOut(path, err)
	}
	defer dir.Close()
	return s.one(ctx, dir, filepath.Base(path), e, path)
}

// ours is where a fetch keeps what is not whole yet.
const ours = ".spill-"

// isOurs: a user may have files of such a name.
func isOurs(dir *folder, name string) bool {
	mark, is := strings.CutPrefix(name, ours)
	if !is || !isToken(mark) {
		return false
	}
	info, err := os.Lstat(dir.at(name))
	return err == nil && info.IsDir() && info.Mode().Perm() == 0o700
}

func (s *sending) walk(ctx context.Context, dir *folder, e *entry, where string) error {
	info, err := dir.Stat()
	if err != nil {
		return s.leftOut(where, err)
	}
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return s.leftOut(where, err)
	}
	slices.Sort(names)
	e.Type, e.Mode, e.Time = "d", uint32(info.Mode().Perm()), info.ModTime().UnixNano()
	if err := s.manifest.add(e); err != nil {
		return err
	}
	for _, name := range names {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if len(e.Path) == 0 && isOurs(dir, name) {
			s.told.add("%s was not carried: it is what another transport leaves while it is under way", shown(where+"/"+name))
			continue
		}
		below := &entry{Root: e.Root, Path: bytes64(name)}
		if len(e.Path) > 0 {
			below.Path = bytes64(string(e.Path) + "/" + name)
		}
		if err := s.one(ctx, dir, name, below, where+"/"+name); err != nil {
			return err
		}
	}
	return nil
}

func (s *sending) one(ctx context.Context, dir *folder, name string, e *entry, where string) error {
	info, err := os.Lstat(dir.at(name))
	if err != nil {
		return s.leftOut(where, err)
	}
	if len(e.Path) > maxPath {
		return s.leftOut(where[:min(len(where), 200)]+"…", errors.New("its path is too long"))
	}
	switch mode := info.Mode(); {
	case mode.IsDir():
		sub, err := dir.sub(name)
		if err != nil {
			return s.leftOut(where, err)
		}
		defer sub.Close()
		return s.walk(ctx, sub, e, where)
	case mode&os.ModeSymlink != 0:
		to, err := os.Readlink(dir.at(name))
		if err != nil {
			return s.leftOut(where, err)
		}
		e.Type, e.To = "l", bytes64(to)
		if s.asBrought(where, e) {
			return nil
		}
		return s.manifest.add(e)
	case !mode.IsRegular():
		// Not a content: nobody needs a socket of another machine. Told also where nothing may be missing.
		s.told.add("%s is no file, directory or symlink, and was not carried", shown(where))
		return nil
	}
	// Not to wait for a pipe's writer, should it have become one.
	file, err := dir.open(name, syscall.O_RDONLY|syscall.O_NONBLOCK)
	if err != nil {
		return s.leftOut(where, err)
	}
	read := s.progress.mark()
	parts, err := fill(ctx, file, e, s.order.PartBytes, read)
	if err != nil {
		file.Close()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return s.leftOut(where, err)
	}
	if s.asBrought(where, e) {
		return file.Close()
	}
	s.waiting = append(s.waiting, &outgoingFile{e, file, where, parts, read})
	if len(s.waiting) < batch {
		return nil
	}
	return s.flush(ctx)
}

func (s *sending) asBrought(where string, e *entry) bool {
	_, is := s.brought.number(filepath.Clean(where), e.content())
	return is
}

var errChanging = errors.New("it changes while it is read")

// fill says what a file is now: one that changes while it is read is read again.
func fill(ctx context.Context, file *os.File, e *entry, partBytes int64, read *mark) (*partList, error) {
	buffer := make([]byte, 128<<10)
	most := int64(maxPut)
	if partBytes > 0 {
		most = maxWhole
	}
	for range changes {
		before, err := file.Stat()
		if err != nil {
			return nil, err
		}
		if !before.Mode().IsRegular() {
			return nil, errors.New("it is no file any more")
		}
		if before.Size() > most {
			return nil, fmt.Errorf("its %d bytes are more than the %d GiB that one file may have", before.Size(), most>>30)
		}
		sum, size, parts := sha256.New(), int64(0), newParts(before.Size(), partBytes)
		for {
			n, err := file.ReadAt(buffer, size)
			sum.Write(buffer[:n])
			parts.write(buffer[:n])
			size += int64(n)
			read.reach(size)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return nil, err
			}
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			if size > before.Size() {
				break // it grows
			}
		}
		after, err := file.Stat()
		if err != nil {
			return nil, err
		}
		if size == before.Size() && size == after.Size() && before.ModTime().Equal(after.ModTime()) {
			e.Type, e.Mode, e.Time, e.Size = "f", uint32(before.Mode().Perm()), before.ModTime().UnixNano(), size
			e.Sum = hex.EncodeToString(sum.Sum(nil))
			parts.close()
			return parts, nil
		}
	}
	return nil, errChanging
}

// flush sends what waits, and writes it down once the store has it.
func (s *sending) flush(ctx context.Context) error {
	defer s.drop()
	faults := make([]error, len(s.waiting))
	each(len(s.waiting), func(i int) { faults[i] = s.deliver(ctx, s.waiting[i]) })
	for i, w := range s.waiting {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var away *undelivered
		if errors.As(faults[i], &away) {
			return away.error // the store, and so all of them
		}
		if faults[i] != nil {
			if err := s.leftOut(w.where, faults[i]); err != nil {
				return err
			}
			continue
		}
		s.files++
		s.bytes += w.entry.Size
		if err := s.manifest.add(w.entry); err != nil {
			return err
		}
	}
	return nil
}

// undelivered: not this file's fault.
type undelivered struct{ error }

func (s *sending) deliver(ctx context.Context, w *outgoingFile) error {
	for range changes {
		sum := w.entry.Sum
		err := s.put(ctx, w.file, blobBody{sum, w.entry.Size}, false, w.parts)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var refused *refusal
		if errors.As(err, &refused) {
			return err
		}
		// Where the file is another one by now, that is why the store refused it.
		parts, changed := fill(ctx, w.file, w.entry, s.order.PartBytes, w.read)
		if changed != nil {
			return changed
		}
		w.parts = parts
		if w.entry.Sum == sum {
			return &undelivered{err}
		}
	}
	return errChanging
}

// each runs n works, some of them at once.
func each(n int, work func(i int)) {
	var all sync.WaitGroup
	next := make(chan int)
	for range min(parallel, n) {
		all.Go(func() {
			for i := range next {
				work(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	all.Wait()
}

// lines are for the job's stderr; a tree of sockets must not fill it.
type lines struct {
	mu   sync.Mutex
	said []string
	more int
}

const mostLines = 20

func (l *lines) add(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.said) >= mostLines {
		l.more++
		return
	}
	l.said = append(l.said, fmt.Sprintf(format, args...))
}

func (l *lines) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := append([]string{}, l.said...)
	if l.more > 0 {
		all = append(all, fmt.Sprintf("and %d more such", l.more))
	}
	return all
}
