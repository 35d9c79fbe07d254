package main

import (
	"errors"
	"fmt"
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
