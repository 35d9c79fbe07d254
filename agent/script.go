package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// The kernel reads 256 bytes of a `#!` line, before 5.1 only 128.
const maxInterpreterLine = 127

// standinLine is what TaskProlog puts in front of a script, so that the stand-in in dir runs in its place.
func standinLine(dir string) (string, error) {
	line := "#!" + filepath.Join(dir, "spill-standin") + "\n"
	if len(line) > maxInterpreterLine || strings.ContainsAny(dir, " \t\n") {
		return "", fmt.Errorf("%s: too long a path, or a blank in it, for an interpreter's line", dir)
	}
	return line, nil
}

// findScripts lists job's spooled scripts under the slurmds' spool directories. Several slurmds share a burst
// host, and which of them runs this job only the environment says, which is the user's: so every one is returned.
func findScripts(patterns []string, job int64) ([]string, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	host, _, _ = strings.Cut(host, ".")
	var found []string
	for _, pattern := range patterns {
		pattern = strings.NewReplacer("%h", host, "%n", "*").Replace(pattern)
		dirs, err := filepath.Glob(filepath.Join(pattern, fmt.Sprintf("job%05d", job)))
		if err != nil {
			return nil, fmt.Errorf("spoolDirs: %s: %w", pattern, err)
		}
		for _, dir := range dirs {
			found = append(found, filepath.Join(dir, "slurm_script"))
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("no script of job %d under %s", job, strings.Join(patterns, " "))
	}
	return found, nil
}

// leftBehind says that the user could not run what is at path, whatever he did: a slurmd whose spool was full gave the
// job up there before its script was written or was the user's, and Slurm ran it again on another.
func leftBehind(path string, user uint32) bool {
	var st syscall.Stat_t
	switch err := syscall.Lstat(path, &st); err {
	case nil:
		return st.Uid != user && st.Mode&0o077 == 0
	default:
		return err == syscall.ENOENT || err == syscall.EACCES
	}
}

// prependLine puts line in front of the script at path, once. The job's directory is root's, so nothing can be
// renamed into it: the file is emptied, the script written behind a hole of NULs, and the line put into the hole
// last. Whatever moment this is cut short at, the kernel refuses to execute the rest; a torn script never runs.
func prependLine(path, line string, dirOwner, scriptOwner uint32) error {
	if err := trustedDir(filepath.Dir(path), dirOwner); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_RDWR|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	var st syscall.Stat_t
	if err := syscall.Fstat(int(file.Fd()), &st); err != nil {
		return err
	}
	if st.Mode&syscall.S_IFMT != syscall.S_IFREG || st.Nlink != 1 || st.Uid != scriptOwner || st.Mode&0o7777 != 0o700 {
		return fmt.Errorf("%s: mode %#o, owner %d, %d links: not a spooled script of uid %d", path, st.Mode, st.Uid, st.Nlink, scriptOwner)
	}
	script, err := io.ReadAll(file)
	if err != nil {
		return err
	}
	if int64(len(script)) != st.Size {
		return fmt.Errorf("%s: changed while it was read", path)
	}
	if bytes.HasPrefix(script, []byte(line)) {
		return nil
	}
	if err := file.Truncate(0); err != nil {
		return err
	}
	if len(script) > 0 {
		if _, err := file.WriteAt(script, int64(len(line))); err != nil {
			return err
		}
	}
	_, err = file.WriteAt([]byte(line), 0)
	return err
}
