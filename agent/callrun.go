package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// run runs a program to its end and keeps what it writes until it is asked for.
func (h *callHost) run(ctx context.Context, c *hostCall, path string, ask *callRun) {
	cmd := exec.CommandContext(ctx, path, asStrings(ask.Args)...)
	h.asItsOwn(cmd)
	cmd.Env = environFor(h.environ, ask)
	if len(ask.In) > 0 {
		cmd.Stdin = bytes.NewReader(ask.In)
	}
	start := cmd.Start
	if ask.Program == submits {
		cmd.Dir = string(ask.Cwd)
		start = func() error {
			if _, err := os.Stat(cmd.Dir); err != nil { // a start that fails would name the program
				return err
			}
			return umasked(ask.Umask, cmd.Start)
		}
	}
	err := h.ofArray(ctx, ask)
	if err == nil {
		err = h.runWith(cmd, start, c)
	}
	end := endOf(cmd, err)
	h.mu.Lock()
	defer h.mu.Unlock()
	c.kill()
	c.end = end
	h.news(c)
}

// ofArray asks Slurm, where it matters, whether the job is the array's task that its environment names.
func (h *callHost) ofArray(ctx context.Context, ask *callRun) error {
	r := h.rules
	if !r.byArray(ask.Program, asStrings(ask.Args)) {
		return nil
	}
	path, err := h.find("scontrol")
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, path, "-o", "show", "job", r.Job)
	h.asItsOwn(cmd)
	cmd.Env = h.environ
	record, err := cmd.Output()
	name := r.ArrayJob + "_" + r.ArrayTask
	if err != nil {
		return fmt.Errorf("whether job %s is %s, Slurm does not say: scontrol: %w", r.Job, name, err)
	}
	// Its front: what follows has words of the user's.
	if !strings.HasPrefix(string(record), fmt.Sprintf("JobId=%s ArrayJobId=%s ArrayTaskId=%s ", r.Job, r.ArrayJob, r.ArrayTask)) {
		return fmt.Errorf("job %s is not %s, which its environment names: it was submitted from there", r.Job, name)
	}
	return nil
}

// asItsOwn has a program run in no directory of anybody's. A site may have a script in the program's place; what it runs ends with it.
func (h *callHost) asItsOwn(cmd *exec.Cmd) {
	cmd.Dir = "/"
	cmd.WaitDelay = h.leftover
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.Signal(sigKill)) }
}

// runWith returns when the program has ended and all that it wrote was taken over. Outputs are held back for as long as
// nobody asks for them, so they are waited for here and not by Wait, which would cut them off.
func (h *callHost) runWith(cmd *exec.Cmd, start func() error, c *hostCall) error {
	outputs := [2]*callOutput{{h: h, c: c, i: 0}, {h: h, c: c, i: 1}}
	var theirs [2]*os.File
	for i, o := range outputs {
		var err error
		if o.from, theirs[i], err = os.Pipe(); err != nil {
			closeAll(outputs[0].from, theirs[0])
			return err
		}
	}
	cmd.Stdout, cmd.Stderr = theirs[0], theirs[1]
	err := start()
	closeAll(theirs[:]...)
	if err != nil {
		closeAll(outputs[0].from, outputs[1].from)
		return err
	}
	var drained sync.WaitGroup
	for _, o := range outputs {
		drained.Go(o.drain)
	}
	err = cmd.Wait()
	for _, o := range outputs {
		o.programEnded()
	}
	drained.Wait()
	return err
}

func closeAll(files ...*os.File) {
	for _, file := range files {
		if file != nil {
			file.Close()
		}
	}
}

// callOutput is one output of a program, held back while nobody takes it.
type callOutput struct {
	h     *callHost
	c     *hostCall
	i     int
	from  *os.File
	ended atomic.Bool // the program; others may still write
}

func (o *callOutput) drain() {
	defer o.from.Close()
	buffer := make([]byte, 32<<10)
	for {
		if o.ended.Load() {
			o.from.SetReadDeadline(time.Now().Add(o.h.leftover))
		}
		n, err := o.from.Read(buffer)
		if n > 0 && !o.keep(buffer[:n]) {
			return
		}
		if err != nil {
			return
		}
	}
}

// programEnded: a read that waits already gives up in time too.
func (o *callOutput) programEnded() {
	o.ended.Store(true)
	o.from.SetReadDeadline(time.Now().Add(o.h.leftover))
}

// keep waits for room; false once nobody wants it.
func (o *callOutput) keep(p []byte) bool {
	o.h.mu.Lock()
	defer o.h.mu.Unlock()
	for len(o.c.out[o.i]) >= callHeld && !o.c.gone {
		o.c.room.Wait()
	}
	if o.c.gone {
		return false
	}
	o.c.out[o.i] = append(o.c.out[o.i], p...)
	o.h.news(o.c)
	return true
}

// umaskLock: the umask is the process's, and a program inherits it.
var umaskLock sync.Mutex

func umasked(umask int64, do func() error) error {
	umaskLock.Lock()
	defer umaskLock.Unlock()
	before := syscall.Umask(int(umask))
	defer syscall.Umask(before)
	return do()
}

func endOf(cmd *exec.Cmd, err error) *callEnd {
	if cmd.ProcessState == nil {
		return &callEnd{Refused: err.Error() + "; nothing was run"}
	}
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		signo := int(status.Signal())
		return &callEnd{Signal: &signo}
	}
	code := max(cmd.ProcessState.ExitCode(), 0)
	return &callEnd{Code: &code}
}

// told are variables that say how Slurm's programs print, and nothing else.
var told = regexp.MustCompile(`^((SQUEUE|SACCT|SINFO|SPRIO|SSHARE|SSTAT)_[A-Z0-9_]+|SLURM_(TIME_FORMAT|BITSTR_LEN|JSON|YAML)|TZ|LC_[A-Z]+|LANG)=`)

// environFor: what is submitted takes the script's environment along, as sbatch does by itself; whatever else is run has the
// job's own, as it is on this host, and of the script's only how it wants to see things.
func environFor(own []string, ask *callRun) []string {
	asked := asStrings(ask.Env)
	if ask.Program == submits {
		for _, name := range []string{"SLURM_CONF", "SLURM_CONF_SERVER"} {
			if value := variable(own, name); value != "" && variable(asked, name) == "" {
				asked = append(asked, name+"="+value)
			}
		}
		return asked
	}
	environ := append([]string(nil), own...)
	for _, entry := range asked {
		if told.MatchString(entry) {
			environ = append(environ, entry)
		}
	}
	return environ
}

// usualBins are where Slurm's programs lie if not on the job's own PATH.
var usualBins = []string{"/usr/bin", "/usr/local/bin", "/opt/slurm/bin", "/usr/local/slurm/bin", "/bin"}

// finder looks in dir alone if the administrator named one, else where the job would.
func finder(dir, path string) func(program string) (string, error) {
	dirs := append(filepath.SplitList(path), usualBins...)
	if dir != "" {
		dirs = []string{dir}
	}
	return func(program string) (string, error) {
		if file := slurms(program, dirs); file != "" {
			return file, nil
		}
		return "", errors.New("the burst host has no " + program + " in " + strings.Join(dirs, ":") + " (spill.json: slurmBin)")
	}
}

// slurms is the first program of that name in dirs that may be executed and is no name of this executable's; "" if there is none.
func slurms(program string, dirs []string) string {
	own, err := os.Stat("/proc/self/exe")
	if err != nil {
		return ""
	}
	for _, dir := range dirs {
		file := filepath.Join(dir, program)
		info, err := os.Stat(file)
		if filepath.IsAbs(file) && err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 && !os.SameFile(info, own) {
			return file
		}
	}
	return ""
}
