package main

import (
	"fmt"
	"io"
	"os"
)

// memoryFirst is what of a list is kept in memory before a file is made for it: of most jobs, all of it.
const memoryFirst = 1 << 20

// draft is a file that has no name, and none at all while it is small.
type draft struct {
	memory []byte
	file   *os.File
	// stays: where no file can be made or grow, memory holds it. In a pod that is the job's, and its script does not run meanwhile.
	stays bool
	full  bool
}

func (s *draft) WriteAt(b []byte, at int64) (int, error) {
	end := at + int64(len(b))
	if s.file == nil && (end <= memoryFirst || s.full) {
		return s.remember(b, at), nil
	}
	err := s.toFile()
	if err == nil {
		if _, err = s.file.WriteAt(b, at); err == nil {
			return len(b), nil
		}
	}
	if s.stays && s.back() {
		return s.remember(b, at), nil
	}
	return 0, fmt.Errorf("the list of its files finds no room in %s: %w", os.TempDir(), plain(err))
}

func (s *draft) remember(b []byte, at int64) int {
	if more := at + int64(len(b)) - int64(len(s.memory)); more > 0 {
		s.memory = append(s.memory, make([]byte, more)...)
	}
	return copy(s.memory[at:], b)
}

func (s *draft) toFile() error {
	if s.file != nil {
		return nil
	}
	file, err := os.CreateTemp("", "spill-manifest-")
	if err != nil {
		return err
	}
	if err = os.Remove(file.Name()); err == nil {
		_, err = file.WriteAt(s.memory, 0)
	}
	if err != nil {
		file.Close()
		return err
	}
	s.file, s.memory = file, nil
	return nil
}

// back takes into memory what the file has, of which every write so far went well.
func (s *draft) back() bool {
	s.full = true
	if s.file == nil {
		return true
	}
	text, err := io.ReadAll(io.NewSectionReader(s.file, 0, maxManifest))
	if err != nil {
		return false
	}
	s.file.Close()
	s.file, s.memory = nil, text
	return true
}

func (s *draft) ReadAt(b []byte, at int64) (int, error) {
	if s.file != nil {
		return s.file.ReadAt(b, at)
	}
	if at >= int64(len(s.memory)) {
		return 0, io.EOF
	}
	n := copy(b, s.memory[at:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (s *draft) Truncate(size int64) error {
	if s.file != nil {
		return s.file.Truncate(size)
	}
	s.memory = s.memory[:min(size, int64(len(s.memory)))]
	return nil
}

func (s *draft) Close() error {
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}
