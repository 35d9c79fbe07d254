package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// slurmMain is one of Slurm's programs as a script in a pod calls it: an image's own, if it could talk to a cluster, else
// the stand-in runs the host's.
func slurmMain(program string) func() int {
	return func() int {
		if own := imagesOwn(program); own != "" {
			err := syscall.Exec(own, os.Args, os.Environ())
			fmt.Fprintf(os.Stderr, "%s: error: %s: %v\n", program, own, err)
			return 1
		}
		return callSlurm(program, os.Args[1:], os.Stdout)
	}
}

// slurmConfs are where Slurm's programs look for their cluster, beside SLURM_CONF [slurm.conf(5), configless].
var slurmConfs = []string{"/etc/slurm/slurm.conf", "/etc/slurm-llnl/slurm.conf", "/usr/local/etc/slurm.conf", "/run/slurm/conf/slurm.conf"}

// slurmKeys are whom they prove themselves by: munged, or Slurm's own sackd.
var slurmKeys = []string{"/run/munge/munge.socket.2", "/var/run/munge/munge.socket.2", "/run/slurm/sack.socket"}

// imagesOwn finds an image's own program on PATH. Images that are made like a cluster's node have Slurm's programs, and neither a
// configuration nor anything to prove themselves by.
func imagesOwn(program string) string {
	isThere := func(path string) bool {
		_, err := os.Stat(path)
		return path != "" && err == nil
	}
	confs := append([]string{os.Getenv("SLURM_CONF")}, slurmConfs...)
	if !slices.ContainsFunc(confs, isThere) || !slices.ContainsFunc(slurmKeys, isThere) {
		return ""
	}
	return slurms(program, filepath.SplitList(os.Getenv("PATH")))
}

// callSlurm has the stand-in run a program and ends as it ended.
func callSlurm(program string, args []string, stdout io.Writer) int {
	t, err := readTeam()
	if err != nil || !t.Calls {
		return refuseHere(program, strings.Join(args, " "))
	}
	code, err := t.callSlurm(program, args, stdout)
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: error: spillway: %v\n", program, err)
		return 1
	}
	return code
}

func (t *team) callSlurm(program string, args []string, stdout io.Writer) (int, error) {
	ask := stepCallBody{Program: program, Args: []bytes64{}}
	for _, arg := range args {
		ask.Args = append(ask.Args, bytes64(arg))
	}
	// A directory that was removed is none that anything could be run in; only what is submitted cares.
	cwd, _ := os.Getwd()
	umask := syscall.Umask(0o077)
	syscall.Umask(umask)
	ask.Cwd, ask.Umask = bytes64(cwd), int64(umask)
	var err error
	if ask.In, err = submitted(program, args); err != nil {
		return 0, err
	}
	environ := withoutOurs(os.Environ(), t.Bin)
	if size := len(strings.Join(args, "")) + len(strings.Join(environ, "")) + len(ask.In); size > mostAsked {
		return 0, fmt.Errorf("arguments, environment and standard input have %d bytes, and %d are the most", size, mostAsked)
	}
	f, err := t.connect(0)
	if err != nil {
		return 0, err
	}
	defer f.close(nil)
	if err := f.put(stEnviron, []byte(strings.Join(environ, "\x00")+"\x00")); err != nil {
		return 0, err
	}
	defer holdTerm(termHeld, func() { dieBy(sigTerm) })()
	f.send(tStepCall, &ask)
	call := &stepCall{flow: f}
	var outputs sync.WaitGroup
	for channel, to := range map[int]io.Writer{stOut: stdout, stErr: os.Stderr} {
		outputs.Add(1)
		go func() {
			defer outputs.Done()
			call.drain(channel, func(piece []byte) {
				if _, err := to.Write(piece); err != nil {
					f.close(err) // as SIGPIPE would
				}
			})
		}()
	}
	ended, err := call.hear()
	if err != nil {
		return 0, err
	}
	outputs.Wait()
	return ended.number(), nil
}

// termHeld is how long a program that may have asked for the end of its own job goes on when that comes: on a node scancel has its answer
// and is gone before Slurm signals anybody, here the signal may overtake the answer, and the script would see its scancel killed.
const termHeld = time.Second

// holdTerm puts SIGTERM off by so long, once; what it returns takes it back. Who has it ignored goes on ignoring it.
func holdTerm(held time.Duration, die func()) (release func()) {
	if signal.Ignored(syscall.SIGTERM) {
		return func() {}
	}
	heard, over := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(heard, syscall.SIGTERM)
	go func() {
		select {
		case <-heard:
		case <-over:
			return
		}
		select {
		case <-time.After(held):
			die()
		case <-over:
		}
	}()
	return func() {
		signal.Stop(heard)
		close(over)
	}
}

// submitted is the script that sbatch is given on its standard input, where no argument is one. Nothing else reads it: it may be
// a loop's.
func submitted(program string, args []string) (bytes64, error) {
	isScript := func(arg string) bool { return strings.HasPrefix(arg, "--wrap") || beginsAsScript(arg) }
	if program != submits || slices.ContainsFunc(args, isScript) {
		return bytes64{}, nil
	}
	text, err := io.ReadAll(io.LimitReader(os.Stdin, mostAsked+1))
	if err != nil && !errors.Is(err, os.ErrClosed) {
		return nil, fmt.Errorf("standard input: %w", err)
	}
	return text, nil
}

// beginsAsScript: sbatch takes nothing else for a script. The file that -o names may well be there, from the last time.
func beginsAsScript(path string) bool {
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return false
	}
	file, err := os.Open(path)
	if err != nil {
		return false
	}
	defer file.Close()
	front := make([]byte, 2)
	_, err = io.ReadFull(file, front)
	return err == nil && string(front) == "#!"
}

// withoutOurs: what is submitted from here has nothing of this pod's.
func withoutOurs(environ []string, bin string) []string {
	var rest []string
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, "SPILL_") {
			continue
		}
		if name == "PATH" {
			dirs := slices.DeleteFunc(filepath.SplitList(value), func(dir string) bool { return dir == bin })
			entry = "PATH=" + strings.Join(dirs, ":")
		}
		rest = append(rest, entry)
	}
	return rest
}

// ofPod are the fields of Slurm's own record that name the burst host's nodes; the job's are its pods.
var ofPod = regexp.MustCompile(`(?m)(^|\s)(NodeList|BatchHost)=\S*`)

// showOwnJob is Slurm's record of this job, with the nodes that the script knows.
func showOwnJob(args []string) int {
	var shown strings.Builder
	code := callSlurm("scontrol", args, &shown)
	os.Stdout.WriteString(withPods(shown.String(), os.Getenv("SLURM_JOB_NODELIST")))
	return code
}

func withPods(record, list string) string {
	first := firstHost(list)
	if first == "" {
		return record
	}
	return ofPod.ReplaceAllStringFunc(record, func(field string) string {
		head, _, _ := strings.Cut(field, "=")
		if strings.HasSuffix(head, "BatchHost") {
			return head + "=" + first
		}
		return head + "=" + list
	})
}
