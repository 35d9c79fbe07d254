package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
)

// installMain copies this executable into dir as `spill`, with a hard link for each of its names. The pod's
// init container runs it: the shared emptyDir then serves any image. A second directory gets the files that stand for
// the image's own in /etc.
func installMain(dir string, etc ...string) int {
	err := install("/proc/self/exe", dir)
	for _, dir := range etc {
		err = errors.Join(err, installEtc(dir))
	}
	if err != nil {
		complain("install: %v", err)
		return 1
	}
	return 0
}

func install(executable, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	target := filepath.Join(dir, "spill")
	if err := replace(target, func(fresh string) error { return copyFile(executable, fresh) }); err != nil {
		return err
	}
	for name := range programs {
		link := func(fresh string) error { return os.Link(target, fresh) }
		if err := replace(filepath.Join(dir, name), link); err != nil {
			return err
		}
	}
	return nil
}

// replace makes a file beside its target and renames it, so that an executable in use can be replaced too.
func replace(target string, make func(fresh string) error) error {
	fresh := target + ".new"
	os.Remove(fresh)
	if err := make(fresh); err != nil {
		return err
	}
	// rename does nothing where both names are one file already, and would leave the fresh one behind.
	os.Remove(target)
	return os.Rename(fresh, target)
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	if err := out.Chmod(0o755); err != nil { // whatever the umask
		out.Close()
		return err
	}
	return out.Close()
}
