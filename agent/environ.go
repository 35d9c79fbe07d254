package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"unsafe"
)

const (
	environName   = "spill-environ"
	environMarker = "SPILL_ENVIRON_FD"
)

// ownEnviron are the settings of Go's runtime under which a stand-in is smallest: one processor, so few threads
// (they count against the user's limit of processes on this host), and no stacks on the job's stderr.
var ownEnviron = []string{"GOMAXPROCS=1", "GOGC=10", "GOTRACEBACK=none"}

// environApart keeps the job's environment in a file without a name and executes this program once more with one of
// its own: GODEBUG and its kin in the environment of a user who debugs a Go program are meant for his program, and
// would make the stand-in write to his output. The pid stays.
func environApart() (*os.File, error) {
	if fd, err := strconv.Atoi(os.Getenv(environMarker)); err == nil {
		link, _ := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
		if strings.HasPrefix(link, "/memfd:"+environName) {
			syscall.CloseOnExec(fd)
			return os.NewFile(uintptr(fd), environName), nil
		}
	}
	block, err := os.Open("/proc/self/environ")
	if err != nil {
		return nil, err
	}
	file, err := memoryFile(environName)
	if err != nil { // a kernel without it
		return block, nil
	}
	if _, err := io.Copy(file, block); err != nil {
		return nil, err
	}
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return nil, err
	}
	environ := append([]string{fmt.Sprintf("%s=%d", environMarker, file.Fd())}, ownEnviron...)
	return nil, syscall.Exec(exe, os.Args, environ)
}

// memoryFile stays open over exec.
func memoryFile(name string) (*os.File, error) {
	if sysMemfdCreate == 0 {
		return nil, syscall.ENOSYS
	}
	text, err := syscall.BytePtrFromString(name)
	if err != nil {
		return nil, err
	}
	fd, _, errno := syscall.Syscall(sysMemfdCreate, uintptr(unsafe.Pointer(text)), 0, 0)
	if errno != 0 {
		return nil, errno
	}
	return os.NewFile(fd, name), nil
}

// environEntries are all of a block of NAME=value and NUL.
func environEntries(block io.ReaderAt) ([]string, error) {
	all, err := io.ReadAll(io.NewSectionReader(block, 0, maxOffset))
	return splitEnviron(all), err
}

// environValue looks one variable up in a block of NAME=value and NUL.
func environValue(block io.ReaderAt, name string) string {
	entries := bufio.NewReader(io.NewSectionReader(block, 0, maxOffset))
	for {
		entry, err := entries.ReadString(0)
		if value, ok := strings.CutPrefix(strings.TrimSuffix(entry, "\x00"), name+"="); ok {
			return value
		}
		if err != nil {
			return ""
		}
	}
}
