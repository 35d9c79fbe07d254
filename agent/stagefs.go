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
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// folder is an open directory; what lies in it is named by one part, so no path can lead out of it.
type folder struct{ *os.File }

// openFolder opens a directory by its path as anybody would: symlinks in the way to what was named are the user's own.
func openFolder(path string) (*folder, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	return &folder{f}, nil
}

// at names an entry for calls that have no form with a directory; only that last part is looked up.
func (d *folder) at(name string) string { return fmt.Sprintf("/proc/self/fd/%d/%s", d.Fd(), name) }

func (d *folder) open(name string, flags int) (*os.File, error) {
	for {
		fd, err := syscall.Openat(int(d.Fd()), name, flags|syscall.O_NOFOLLOW|syscall.O_CLOEXEC, 0o600)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			return nil, &os.PathError{Op: "open", Path: name, Err: err}
		}
		return os.NewFile(uintptr(fd), name), nil
	}
}

func (d *folder) sub(name string) (*folder, error) {
	f, err := d.open(name, syscall.O_RDONLY|syscall.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	return &folder{f}, nil
}

// descend opens the directory that the parts lead to, each without following a symlink.
func (d *folder) descend(parts []string) (*folder, error) {
	f, err := d.sub(".")
	for _, part := range parts {
		if err != nil {
			return nil, err
		}
		var next *folder
		next, err = f.sub(part)
		f.Close()
		f = next
	}
	return f, err
}

func (d *folder) rename(name string, to *folder, as string) error {
	return syscall.Renameat(int(d.Fd()), name, int(to.Fd()), as)
}

// renameNew is rename where nothing has that name; os.ErrExist where something has.
func (d *folder) renameNew(name string, to *folder, as string) error {
	err := renameNoReplace(int(d.Fd()), name, int(to.Fd()), as)
	if !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOSYS) {
		return err
	}
	// A file system that does not know that (NFS): a second name is not made over another either.
	err = os.Link(d.at(name), to.at(as))
	if err == nil {
		return syscall.Unlinkat(int(d.Fd()), name)
	}
	if errors.Is(err, os.ErrExist) {
		return err
	}
	// It knows no second names.
	if _, err := os.Lstat(to.at(as)); err == nil {
		return os.ErrExist
	}
	return d.rename(name, to, as)
}

func renameNoReplace(from int, name string, to int, as string) error {
	if sysRenameat2 == 0 {
		return syscall.ENOSYS
	}
	old, err := syscall.BytePtrFromString(name)
	if err != nil {
		return err
	}
	made, err := syscall.BytePtrFromString(as)
	if err != nil {
		return err
	}
	const noReplace = 1
	_, _, errno := syscall.Syscall6(sysRenameat2, uintptr(from), uintptr(unsafe.Pointer(old)), uintptr(to), uintptr(unsafe.Pointer(made)), noReplace, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

func setTime(f *os.File, ns int64) error {
	at := time.Unix(0, ns)
	return os.Chtimes(fmt.Sprintf("/proc/self/fd/%d", f.Fd()), at, at)
}

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

// manifest is written to, or read from, a file that has no name: a tree may have more entries than memory should hold.
type manifest struct {
	file *os.File
	out  *bufio.Writer
	sum  hash.Hash
	size int64
}

// maxManifest is about a million entries; maxLine is of one of them, whose path has maxPath bytes at most, maxHead of the first line.
const maxManifest, maxLine, maxPath, maxHead = 256 << 20, 64 << 10, 40_000, 1 << 20

func newManifest() (*manifest, error) {
	file, err := os.CreateTemp("", "spill-manifest-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(file.Name()); err != nil {
		file.Close()
		return nil, err
	}
	return &manifest{file: file, out: bufio.NewWriter(file), sum: sha256.New()}, nil
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
	if _, err := m.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	from := bufio.NewReaderSize(m.file, maxLine)
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

// join is for people: where an entry is.
func (e *entry) join(root string) string { return filepath.Join(root, string(e.Path)) }

// shown: names need not be UTF-8, and must not break a line.
func shown(path string) string {
	clean := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(path, "?"))
	return clean
}
