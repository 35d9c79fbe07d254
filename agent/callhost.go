package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
)

// callHost is the stand-in's part of section 14: it runs Slurm's own programs as the user, as the script would on a node. What
// it may run is the host's administrator's to say, since whoever speaks for the gateway can ask too.
type callHost struct {
	rules   callRules
	environ []string // the job's, as Slurm gave it
	find    func(program string) (string, error)
	tell    func(typ byte, body any)

	mu      sync.Mutex
	calls   map[callKey]*hostCall
	highest map[string]int64 // by session, the last number that was taken
}

type callKey struct {
	session string
	n       int64
}

const (
	// mostCalls run at once for one job; mostSessions is for a job's mains, of which there is one.
	mostCalls    = 16
	mostSessions = 16
	// callHeld of each output is kept until somebody has it; the program waits meanwhile.
	callHeld = 2 * calledPiece
)

// hostCall is one program, from its start until nobody waits for it. Under callHost.mu.
type hostCall struct {
	key   callKey
	kill  context.CancelFunc
	base  outHave // what lies before was named by HAVE
	out   [2][]byte
	end   *callEnd
	asked bool // a question waits for more than Have
	room  *sync.Cond
	gone  bool
}

func newCallHost(rules callRules, environ []string, find func(string) (string, error), tell func(byte, any)) *callHost {
	return &callHost{rules: rules, environ: environ, find: find, tell: tell, calls: map[callKey]*hostCall{}, highest: map[string]int64{}}
}

// take answers one question. The same again is answered again; it runs nothing twice.
func (h *callHost) take(b *callBody) {
	h.mu.Lock()
	defer h.mu.Unlock()
	key := callKey{b.Session, b.N}
	known := h.calls[key]
	switch {
	case b.Drop:
		h.reached(key)
		if known != nil {
			h.drop(known)
		}
	case known != nil:
		h.goOn(known, b)
	case b.Run == nil:
		h.refuse(key, forgotten)
	default:
		h.begin(key, b.Run)
	}
}

func (h *callHost) reached(key callKey) {
	if key.n > h.highest[key.session] && (len(h.highest) < mostSessions || h.highest[key.session] > 0) {
		h.highest[key.session] = key.n
	}
}

func (h *callHost) drop(c *hostCall) {
	c.gone = true
	c.kill()
	c.room.Broadcast()
	delete(h.calls, c.key)
}

// goOn lets go of what arrived, and says what came since.
func (h *callHost) goOn(c *hostCall, b *callBody) {
	for i, have := range []int64{b.Have.Out, b.Have.Err} {
		base := c.at(i)
		if n := have - *base; n > 0 && n <= int64(len(c.out[i])) {
			c.out[i] = append([]byte(nil), c.out[i][n:]...)
			*base = have
		}
	}
	c.room.Broadcast()
	c.asked = true
	if b.Run != nil { // its first answer was lost
		h.answer(c)
		return
	}
	h.news(c)
}

func (c *hostCall) at(i int) *int64 {
	if i == 0 {
		return &c.base.Out
	}
	return &c.base.Err
}

// news answers a question that waits, if there is anything to say.
func (h *callHost) news(c *hostCall) {
	if c.asked && !c.gone && (len(c.out[0]) > 0 || len(c.out[1]) > 0 || c.end != nil) {
		h.answer(c)
	}
}

func (h *callHost) answer(c *hostCall) {
	c.asked = false
	out, err := c.out[0][:min(len(c.out[0]), calledPiece)], c.out[1][:min(len(c.out[1]), calledPiece)]
	body := &calledBody{Session: c.key.session, N: c.key.n, At: c.base, Out: out, Err: err}
	if len(out) == len(c.out[0]) && len(err) == len(c.out[1]) {
		body.End = c.end
	}
	h.tell(tCalled, body)
}

func (h *callHost) refuse(key callKey, why string) {
	h.tell(tCalled, &calledBody{Session: key.session, N: key.n, Out: bytes64{}, Err: bytes64{}, End: &callEnd{Refused: why}})
}

// forgotten is said of a number that was taken before and let go of.
const forgotten = "this program's answer is not kept any more; whether it was run, Slurm knows"

func (h *callHost) begin(key callKey, run *callRun) {
	why := h.rules.refuse(run.Program, asStrings(run.Args))
	path, err := h.find(run.Program)
	_, known := h.highest[key.session]
	switch {
	case why != "":
	case err != nil:
		why = err.Error()
	case key.n <= h.highest[key.session]:
		why = forgotten
	case !known && len(h.highest) >= mostSessions:
		why = "too many have asked for this job"
	case len(h.calls) >= mostCalls:
		why = fmt.Sprintf("%d of Slurm's programs are running for this job; nothing was run", mostCalls)
	}
	if why != "" {
		h.refuse(key, why)
		return
	}
	h.reached(key)
	ctx, kill := context.WithCancel(context.Background())
	c := &hostCall{key: key, kill: kill, room: sync.NewCond(&h.mu)}
	h.calls[key] = c
	h.answer(c) // it is taken: the next number may follow
	go h.run(ctx, c, path, run)
}

// run runs a program to its end and keeps what it writes until it is asked for.
func (h *callHost) run(ctx context.Context, c *hostCall, path string, ask *callRun) {
	cmd := exec.CommandContext(ctx, path, asStrings(ask.Args)...)
	cmd.Dir, cmd.Env = "/", environFor(h.environ, ask)
	if ask.Program == submits {
		cmd.Dir = string(ask.Cwd)
	}
	cmd.WaitDelay = callLeftover
	if len(ask.In) > 0 {
		cmd.Stdin = bytes.NewReader(ask.In)
	}
	cmd.Stdout, cmd.Stderr = callOutput{h, c, 0}, callOutput{h, c, 1}
	err := umasked(ask.Umask, cmd.Start)
	if err == nil {
		err = cmd.Wait()
	}
	end := endOf(cmd, err)
	h.mu.Lock()
	defer h.mu.Unlock()
	c.kill()
	c.end = end
	h.news(c)
}

// callLeftover is for what a program has started and left behind with its outputs.
const callLeftover = 5 * time.Second

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

// callOutput is one output of a program, held back while nobody takes it.
type callOutput struct {
	h *callHost
	c *hostCall
	i int
}

func (o callOutput) Write(p []byte) (int, error) {
	o.h.mu.Lock()
	defer o.h.mu.Unlock()
	for len(o.c.out[o.i]) >= callHeld && !o.c.gone {
		o.c.room.Wait()
	}
	if o.c.gone {
		return 0, io.ErrClosedPipe
	}
	o.c.out[o.i] = append(o.c.out[o.i], p...)
	o.h.news(o.c)
	return len(p), nil
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

// finder looks in dir alone if the administrator named one, else where the job would. What is found must be Slurm's, not a name
// of this executable's.
func finder(dir, path string) func(program string) (string, error) {
	dirs := append(filepath.SplitList(path), usualBins...)
	if dir != "" {
		dirs = []string{dir}
	}
	return func(program string) (string, error) {
		own, err := os.Stat("/proc/self/exe")
		if err != nil {
			return "", err
		}
		for _, dir := range dirs {
			file := filepath.Join(dir, program)
			info, err := os.Stat(file)
			if filepath.IsAbs(file) && err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 && !os.SameFile(info, own) {
				return file, nil
			}
		}
		return "", errors.New("the burst host has no " + program + " in " + strings.Join(dirs, ":") + " (spill.json: slurmBin)")
	}
}
