package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// procFS looks at processes; root is "/proc" outside of tests, and owner 0.
type procFS struct {
	root  string
	owner uint32
}

var realProc = procFS{root: "/proc", owner: 0}

// batchStep says which job's batch step pid is: it must be a process of root's, named slurmstepd, that calls
// itself `slurmstepd: [JOB.batch]`. A user cannot start a process whose four uids are root's, but may well have
// a set-uid program run under a name of his choice; so where the caller is root (the relay), the executable is
// compared too. A user may not read the link of root's process: exeUnreadable accepts that for TaskProlog, which
// has no more than the user's own rights to be tricked out of.
func (p procFS) batchStep(pid int, exeUnreadable bool) (job int64, err error) {
	title, err := os.ReadFile(p.path(pid, "cmdline"))
	if err != nil {
		return 0, err
	}
	job, err = parseStepTitle(title)
	if err != nil {
		return 0, fmt.Errorf("process %d: %w", pid, err)
	}
	status, err := p.status(pid)
	if err != nil {
		return 0, err
	}
	if !isSlurmstepdName(status["Name"]) {
		return 0, fmt.Errorf("process %d is named %q", pid, status["Name"])
	}
	root := strconv.FormatUint(uint64(p.owner), 10)
	uids := strings.Fields(status["Uid"])
	if len(uids) != 4 || uids[0] != root || uids[3] != root {
		return 0, fmt.Errorf("process %d is not root's (uid %s)", pid, status["Uid"])
	}
	if err := p.isSlurmstepd(pid); err != nil && !(exeUnreadable && errors.Is(err, os.ErrPermission)) {
		return 0, err
	}
	return job, nil
}

func (p procFS) isSlurmstepd(pid int) error {
	link := p.path(pid, "exe")
	target, err := os.Readlink(link)
	if err != nil {
		return err
	}
	// An upgrade of Slurm replaces the file under running steps.
	if !isSlurmstepdName(filepath.Base(strings.TrimSuffix(target, " (deleted)"))) {
		return fmt.Errorf("process %d runs %s", pid, target)
	}
	var st syscall.Stat_t
	if err := syscall.Stat(link, &st); err != nil { // through the link: the file that really runs
		return err
	}
	return onlyWritableBy(target, &st, p.owner)
}

// isSlurmstepdName: Debian's is slurmstepd-wlm.
func isSlurmstepdName(name string) bool {
	return name == "slurmstepd" || strings.HasPrefix(name, "slurmstepd-")
}

// stepAbove is TaskProlog's batch step. slurmstepd forks the process that is to become the script, which, the
// user's already but still under slurmstepd's title, forks TaskProlog: root's is the parent's parent (seen on
// 22.05.8). A Slurm whose slurmstepd forks TaskProlog itself is right too.
func (p procFS) stepAbove(parent int) (job int64, err error) {
	if job, err := p.batchStep(parent, true); err == nil {
		return job, nil
	}
	title, err := os.ReadFile(p.path(parent, "cmdline"))
	if err != nil {
		return 0, err
	}
	named, err := parseStepTitle(title)
	if err != nil {
		return 0, fmt.Errorf("process %d: %w", parent, err)
	}
	stepd, _, err := p.parentAndStart(parent)
	if err != nil {
		return 0, err
	}
	if job, err = p.batchStep(stepd, true); err == nil && job != named {
		err = fmt.Errorf("process %d is of job %d, its parent of job %d", parent, named, job)
	}
	return job, err
}

// parseStepTitle reads `slurmstepd: [4711.batch]`, followed by anything but a word character.
func parseStepTitle(title []byte) (int64, error) {
	text, _, _ := strings.Cut(string(bytes.TrimRight(title, "\x00 ")), "\x00")
	rest, ok := strings.CutPrefix(text, "slurmstepd: [")
	id, tail, ok2 := strings.Cut(rest, ".batch]")
	job, err := strconv.ParseInt(id, 10, 64)
	if !ok || !ok2 || tail != "" && tail[0] != ' ' || err != nil || job <= 0 || id[0] == '+' {
		return 0, fmt.Errorf("%q is no batch step", text)
	}
	return job, nil
}

func (p procFS) status(pid int) (map[string]string, error) {
	text, err := os.ReadFile(p.path(pid, "status"))
	if err != nil {
		return nil, err
	}
	fields := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok {
			fields[name] = strings.TrimSpace(value)
		}
	}
	return fields, nil
}

// parentAndStart: the start time tells two processes apart that had one pid after the other.
func (p procFS) parentAndStart(pid int) (parent int, start string, err error) {
	text, err := os.ReadFile(p.path(pid, "stat"))
	if err != nil {
		return 0, "", err
	}
	// pid (name) state ppid …: the name may hold anything, parentheses and line breaks too.
	i := bytes.LastIndexByte(text, ')')
	fields := strings.Fields(string(text[i+1:]))
	if i < 0 || len(fields) < 20 {
		return 0, "", fmt.Errorf("%s: unreadable", p.path(pid, "stat"))
	}
	parent, err = strconv.Atoi(fields[1])
	return parent, fields[19], err
}

func (p procFS) path(pid int, name string) string {
	return filepath.Join(p.root, strconv.Itoa(pid), name)
}
