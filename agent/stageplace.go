package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"
)

// same: what is there already and has that hash is left as it is.
func same(dir *folder, name string, e *entry) bool {
	file, err := dir.open(name, syscall.O_RDONLY|syscall.O_NONBLOCK)
	if err != nil {
		return false
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() != e.Size {
		return false
	}
	sum := sha256.New()
	if _, err := io.CopyBuffer(struct{ io.Writer }{sum}, struct{ io.Reader }{file}, make([]byte, 128<<10)); err != nil {
		return false
	}
	return hex.EncodeToString(sum.Sum(nil)) == e.Sum
}

// place moves what is whole to where it belongs. What somebody wrote there since the job began is not overwritten, nor what another of the job's
// nodes has made: where two made one file with different contents, both are there.
func (f *fetching) place(temp *folder, made string, dir *folder, name string, e *entry) error {
	before, clash := f.taken.number(f.where(e))
	if !clash {
		if placed, err := f.placeNew(temp, made, dir, name); placed || err != nil {
			if err == nil {
				f.brought.note(0, f.where(e), e.content())
			}
			return err
		}
	}
	where := shown(f.where(e))
	for n := 1; n <= mostBeside; n++ {
		beside := f.beside(name, n)
		if !brought(dir, beside, e) {
			if err := temp.renameNew(made, dir, beside); errors.Is(err, os.ErrExist) {
				continue
			} else if err != nil {
				return err
			}
		}
		if clash {
			f.told.add("%s was made on rank %d of the job and, with another content, on rank %d: the latter is in %s beside it", where, before, f.rank, shown(beside))
		} else {
			f.told.add("%s is newer than the job: what the job has made is in %s beside it", where, shown(beside))
		}
		return nil
	}
	return fmt.Errorf("it is there already, and so are %d files beside it", mostBeside)
}

// placeNew gives it its own name; false: that is somebody's.
func (f *fetching) placeNew(temp *folder, made string, dir *folder, name string) (bool, error) {
	info, err := os.Lstat(dir.at(name))
	if errors.Is(err, os.ErrNotExist) {
		// Not if somebody is writing it just now.
		err := temp.renameNew(made, dir, name)
		if errors.Is(err, os.ErrExist) {
			return false, nil
		}
		return true, err
	}
	if err == nil && !info.IsDir() && !f.newer(info) {
		return true, temp.rename(made, dir, name)
	}
	return false, err
}

// beside is the n-th name in the place of its own.
func (f *fetching) beside(name string, n int) string {
	beside := fmt.Sprintf("%s.spill-%d", name, f.order.JobID)
	if f.rank > 0 {
		beside = fmt.Sprintf("%s-rank%d", beside, f.rank)
	}
	if n > 1 {
		beside = fmt.Sprintf("%s-%d", beside, n)
	}
	return beside
}

// brought by a try before.
func brought(dir *folder, name string, e *entry) bool {
	if e.Type == "f" {
		return same(dir, name, e)
	}
	to, err := os.Readlink(dir.at(name))
	return err == nil && to == string(e.To)
}

// mostBeside names are tried.
const mostBeside = 100

// newer: written since the job began, or brought here since then with the time of another place (cp -p, tar). In a pod that is what its image has,
// and no word of the user's.
func (f *fetching) newer(info os.FileInfo) bool {
	since := time.UnixMilli(f.order.SinceMs)
	if info.ModTime().After(since) {
		return true
	}
	stat := info.Sys().(*syscall.Stat_t)
	return !f.order.Strict && time.Unix(stat.Ctim.Unix()).After(since)
}
