package main

import (
	"bytes"
	"fmt"
	"math/rand"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func TestCallRules(t *testing.T) {
	own := callRules{Which: callOwn, Job: "71", ArrayJob: "70", ArrayTask: "3"}
	for _, c := range []struct {
		line string
		runs bool
	}{
		{"squeue -h -j 71 -O TimeLeft", true}, {"squeue -u bob", true}, {"sacct -j 70 --json", true}, {"sinfo", true},
		{"scontrol requeue 71", true}, {"scontrol requeue 70_3", true}, {"scontrol -Q requeue 71", true},
		{"scontrol requeuehold state=SpecialExit 71", true}, {"scontrol REQUEUE Incomplete 71", true},
		{"scontrol requeue 72", false}, {"scontrol requeue 71,72", false}, {"scontrol requeue 71 72", false}, {"scontrol requeue 70", false},
		{"scontrol requeue", false}, {"scontrol -M other requeue 71", false}, {"scontrol --cluster=other requeue 71", false},
		{"scontrol --uid=0 requeue 71", false}, {"scontrol -u 0 requeue 71", false},
		{"scontrol hold 71", true}, {"scontrol release 71", true}, {"scontrol hold 1", false}, {"scontrol hold name=x", false},
		{"scontrol update jobid=71 comment=half", true}, {"scontrol update JobId=71 TimeLimit+=10", true}, {"scontrol update job=70_3 nice=5", true},
		{"scontrol update jobid=72 comment=x", false}, {"scontrol update jobid=71 jobid=72 comment=x", false}, {"scontrol update comment=x", false},
		{"scontrol update comment=x nice=5", false}, {"scontrol upd jobid=71 comment=x", false}, {"scontrol update jobid=71 userid=0", false}, {"scancel --job=72", false},
		{"scontrol update jobid=71", false}, {"scontrol update jobid=71 jobname=x", false}, {"scontrol update jobid=71 partition=gpu", false},
		{"scontrol update nodename=n1 state=down", false}, {"scontrol update jobid=71 comment=x nodename=n1", false}, {"scontrol update jobid=71 stepid=0", false},
		{"scontrol show job 12", true}, {"scontrol -d -o show node n1", true}, {"scontrol show config", true}, {"scontrol ping", true},
		{"scontrol show hostlist /etc/shadow", false}, {"scontrol show HOSTN a", false}, {"scontrol show", false}, {"scontrol", false},
		{"scontrol write batch_script 71 /home/x", false}, {"scontrol reconfigure", false}, {"scontrol shutdown", false}, {"scontrol suspend 71", false},
		{"scancel 71", true}, {"scancel 71.0", true}, {"scancel 70", true}, {"scancel 70_3", true}, {"scancel -s USR1 71", true}, {"scancel -b --signal=USR1 71", true},
		{"scancel 72", false}, {"scancel -u alice", false}, {"scancel --user=alice 71", false}, {"scancel 71 72", false}, {"scancel", false}, {"scancel -b", false},
		{"scancel -t PENDING 71", false}, {"scancel -M other 71", false}, {"scancel -Mother 71", false}, {"scancel --me", false}, {"scancel -s", false},
		{"sacctmgr show qos", true}, {"sacctmgr -nP list assoc", true}, {"sacctmgr", false}, {"sacctmgr add user x", false}, {"sacctmgr dump c File=x", false},
		{"scancel 71.0,72", false}, {"scancel 71.,72", false}, {"scancel 71.0.72", false}, {"scancel 70_3.0,72", false}, {"scancel 71.x", false}, {"scancel 71_*", false},
		{"scontrol show --local hostlist /etc/shadow", false}, {"scontrol show -d --loc hostlistsorted /etc/shadow", false}, {"scontrol show --uid job hostlist /etc/shadow", false},
		{"scontrol show -a hostlist /etc/shadow", false}, {"scontrol show -d setdebug 9", false}, {"scontrol show job -d SetDebugFlags +Agent", false},
		{"scontrol show job 71 -dd --json=v0.0.41", true}, {"scontrol hold 71 --uid=0", false},
		{"sacctmgr -i show runawayjobs", false}, {"sacctmgr show -i ru", false}, {"sacctmgr list LostJobs", false}, {"sacctmgr show o", false}, {"sacctmgr show", false},
		{"sacctmgr show user bob withassoc", true}, {"sacctmgr show Assoc where user=bob", true}, {"sacctmgr --json show cluster", true},
		{"sacctmgr show acct", true}, {"sacctmgr list txn", true}, {"sacctmgr show resv", true}, {"sacctmgr -- show runaway", false}, {"sacctmgr show -- ru", false},
		{"sacct -B -j 1", false}, {"sacct -XB", false}, {"sacct --batch-script", false}, {"sacct --env-vars -j 1", false}, {"sacct --env", false},
		{"sacct -c -f /etc/shadow", false}, {"sacct --file=/x", false}, {"sacct -cf/x", false},
		{"sacct -nXo JobID,BlockID -b", true}, {"sacct --format=JobID,Fields --brief --endtime now", true}, {"sacct -S now -E now -F x", true},
		{"sbatch job.sh", false}, {"srun hostname", false}, {"bash -c id", false}, {"/usr/bin/squeue", false}, {"../squeue", false},
	} {
		words := strings.Fields(c.line)
		if why := own.refuse(words[0], words[1:]); (why == "") != c.runs {
			t.Errorf("%s: %q", c.line, why)
		}
		all, none := own, own
		all.Which, none.Which = callAll, callNone
		if none.refuse(words[0], words[1:]) == "" {
			t.Errorf("%s runs where nothing may", c.line)
		}
		if known := all.refuse(words[0], words[1:]) == ""; known != (words[0] != "srun" && words[0] != "bash" && !strings.Contains(words[0], "/")) {
			t.Errorf("%s: all: %v", c.line, known)
		}
	}
	last := callRules{Which: callOwn, Job: "70", ArrayJob: "70", ArrayTask: "5"} // an array's last task
	for line, runs := range map[string]bool{
		"scontrol requeue 70": false, "scontrol hold 70": false, "scontrol update jobid=70 comment=x": false,
		"scontrol requeue 70_5": true, "scancel 70_5": true, "scancel 70": true,
	} {
		words := strings.Fields(line)
		if why := last.refuse(words[0], words[1:]); (why == "") != runs {
			t.Errorf("%s: %q", line, why)
		}
	}
	if (callRules{Which: callOwn}).refuse("scontrol", []string{"requeue", ""}) == "" {
		t.Error("no job is nobody's own")
	}
}

// callBench is both ends of section 14 with a wire between them that loses frames.
type callBench struct {
	host *callHost
	book *callBook
	dir  string
}

func startCalls(t *testing.T, which string, lost func() bool) *callBench {
	t.Helper()
	b := &callBench{dir: t.TempDir()}
	toPod, toHost := make(chan any, 256), make(chan any, 256)
	over := make(chan struct{})
	t.Cleanup(func() { close(over) })
	send := func(to chan any) func(byte, any) {
		return func(typ byte, body any) {
			frame, err := encode(typ, body)
			if err != nil {
				t.Error(err)
			}
			again, err := decode(typ, frame[5:])
			if err != nil {
				t.Error(err)
			}
			if said, ok := again.(*calledBody); ok && max(len(said.Out), len(said.Err)) > calledPiece {
				t.Errorf("%d and %d bytes in one frame", len(said.Out), len(said.Err))
			}
			if lost == nil || !lost() {
				select {
				case to <- again:
				case <-over:
				}
			}
		}
	}
	rules := callRules{Which: which, Job: "71"}
	environ := []string{"PATH=" + os.Getenv("PATH"), "LOG=" + b.dir + "/log", "SECRET=host"}
	b.host = newCallHost(rules, environ, finder(b.dir, ""), send(toPod))
	b.book = newCallBook(send(toHost))
	b.book.again = 50 * time.Millisecond
	go func() {
		for {
			select {
			case body := <-toHost:
				b.host.take(body.(*callBody))
			case <-over:
				return
			}
		}
	}()
	go func() {
		for {
			select {
			case body := <-toPod:
				b.book.answered(body.(*calledBody))
			case <-over:
				return
			}
		}
	}()
	return b
}

func (b *callBench) program(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(b.dir, name), []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}

func (b *callBench) log() []string {
	text, _ := os.ReadFile(b.dir + "/log")
	return strings.Fields(string(text))
}

func asking(program string, args ...string) callRun {
	ask := callRun{Program: program, Args: []bytes64{}, Env: []bytes64{}, Cwd: bytes64("/"), Umask: 0o027, In: bytes64{}}
	for _, arg := range args {
		ask.Args = append(ask.Args, bytes64(arg))
	}
	return ask
}

// ran gives both outputs and the end.
func (b *callBench) ran(t *testing.T, ask callRun) (string, string, callEnd) {
	t.Helper()
	var out, err bytes.Buffer
	put := func(channel int, data []byte) error {
		map[int]*bytes.Buffer{stOut: &out, stErr: &err}[channel].Write(data)
		return nil
	}
	end, fault := b.book.run(ask, put, nil)
	if fault != nil {
		t.Fatal(fault)
	}
	return out.String(), err.String(), end
}

// someLost is a wire that drops every third frame or so.
func someLost(seed int64) func() bool {
	dice := rand.New(rand.NewSource(seed))
	var mu sync.Mutex
	return func() bool {
		mu.Lock()
		defer mu.Unlock()
		return dice.Intn(3) == 0
	}
}

func TestACallIsRunOnceWhateverIsLost(t *testing.T) {
	b := startCalls(t, callOwn, someLost(7))
	b.program(t, "squeue", `echo "$1" >> "$LOG"; i=0; while [ $i -lt 6000 ]; do echo "$1 line $i of many"; i=$((i+1)); done; echo "$1" >&2; exit 5`)
	var all sync.WaitGroup
	for n := range 12 {
		all.Go(func() {
			name := fmt.Sprint("n", n)
			out, err, end := b.ran(t, asking("squeue", name))
			var want strings.Builder
			for i := range 6000 {
				fmt.Fprintf(&want, "%s line %d of many\n", name, i)
			}
			if out != want.String() || err != name+"\n" || end.Code == nil || *end.Code != 5 {
				t.Errorf("%s: %d bytes instead of %d, %q, %+v", name, len(out), want.Len(), err, end)
			}
		})
	}
	all.Wait()
	if log := b.log(); len(log) != 12 {
		t.Errorf("run %d times instead of 12: %v", len(log), log)
	}
}

func TestACallThatNobodyWaitsForIsEndedAndForgotten(t *testing.T) {
	b := startCalls(t, callOwn, nil)
	b.program(t, "squeue", `echo $$ >> "$LOG"; exec sleep 300`)
	gone := make(chan struct{})
	done := make(chan error, 1)
	go func() {
		_, err := b.book.run(asking("squeue"), func(int, []byte) error { return nil }, gone)
		done <- err
	}()
	await(t, "a start", func() bool { return len(b.log()) == 1 })
	close(gone)
	if err := <-done; err != errNobodyWaits {
		t.Fatal(err)
	}
	var pid int
	fmt.Sscan(b.log()[0], &pid)
	await(t, "its end", func() bool { return syscall.Kill(pid, 0) == syscall.ESRCH })
	await(t, "no call", func() bool {
		b.host.mu.Lock()
		defer b.host.mu.Unlock()
		return len(b.host.calls) == 0
	})
	// A frame that was under way all the time.
	late := asking("squeue")
	b.host.take(&callBody{Session: b.book.session, N: 1, Run: &late})
	time.Sleep(50 * time.Millisecond)
	if log := b.log(); len(log) != 1 {
		t.Errorf("run again: %v", log)
	}
}

// readLater runs sacct and takes nothing of its output before what it gives back is called, which has its end and how much it wrote.
func (b *callBench) readLater() func() (callEnd, int) {
	reading := make(chan struct{})
	var got int
	put := func(_ int, data []byte) error {
		<-reading
		got += len(data)
		return nil
	}
	done := make(chan callEnd, 1)
	go func() {
		end, _ := b.book.run(asking("sacct"), put, nil)
		done <- end
	}()
	return func() (callEnd, int) {
		close(reading)
		return <-done, got
	}
}

func TestAProgramThatNobodyReadsIsHeldBack(t *testing.T) {
	b := startCalls(t, callOwn, nil)
	b.program(t, "sacct", `yes | head -c 3000000`)
	read := b.readLater()
	await(t, "output", func() bool { return b.host.held() > 0 })
	time.Sleep(100 * time.Millisecond)
	if held := b.host.held(); held > callHeld+64<<10 {
		t.Errorf("%d bytes are held", held)
	}
	if end, got := read(); end.Code == nil || *end.Code != 0 || got != 3_000_000 {
		t.Errorf("%+v, %d bytes", end, got)
	}
}

func (h *callHost) held() (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.calls {
		n += len(c.out[0]) + len(c.out[1])
	}
	return n
}

func TestWhatAProgramHasOfTheScript(t *testing.T) {
	b := startCalls(t, callAll, nil)
	b.program(t, "squeue", `echo "$SECRET $SQUEUE_FORMAT $LD_PRELOAD_X"; pwd; cat`)
	ask := asking("squeue")
	ask.Env = asBytes([]string{"SECRET=pod", "SQUEUE_FORMAT=%T", "LD_PRELOAD_X=evil"})
	if out, _, _ := b.ran(t, ask); out != "host %T \n/\n" {
		t.Errorf("%q", out)
	}
	b.program(t, "sbatch", `echo "$SECRET $A"; pwd; umask; cat`)
	ask = asking("sbatch", "-p", "cloud")
	ask.Env, ask.Cwd, ask.In = asBytes([]string{"SECRET=pod", "A=b c"}), bytes64(b.dir), bytes64("#!/bin/sh\nhostname\n")
	if out, _, _ := b.ran(t, ask); out != "pod b c\n"+b.dir+"\n0027\n#!/bin/sh\nhostname\n" {
		t.Errorf("%q", out)
	}
	ask.Cwd = bytes64(b.dir + "/none")
	if _, _, end := b.ran(t, ask); !strings.Contains(end.Refused, "/none") || !strings.Contains(end.Refused, "nothing was run") {
		t.Errorf("%+v", end)
	}
	if _, _, end := b.ran(t, asking("sprio")); !strings.Contains(end.Refused, "no sprio in "+b.dir) {
		t.Errorf("%+v", end)
	}
	b.program(t, "sstat", `kill -9 $$`)
	if _, _, end := b.ran(t, asking("sstat")); end.Signal == nil || *end.Signal != 9 {
		t.Errorf("%+v", end)
	}
}

func TestARefusalIsTheSameAsOftenAsItIsAsked(t *testing.T) {
	b := startCalls(t, callOwn, someLost(3))
	b.program(t, "sbatch", `echo run >> "$LOG"`)
	for range 5 {
		if _, _, end := b.ran(t, asking("sbatch", "x.sh")); !strings.Contains(end.Refused, "submitting from a script") {
			t.Errorf("%+v", end)
		}
	}
	if log := b.log(); len(log) != 0 {
		t.Error(log)
	}
}

// A tool in the pod, main's daemon, and the far end's host together.
func TestAToolInThePodAsksSlurm(t *testing.T) {
	b := startCalls(t, callOwn, nil)
	b.program(t, "squeue", `echo "$@"; echo why >&2; exit 3`)
	d := startDaemon(t, "a1")
	d.calls, d.team.Calls = b.book, true
	var out bytes.Buffer
	code, err := d.team.callSlurm("squeue", []string{"-j", "71", "two words"}, &out)
	if err != nil || code != 3 || out.String() != "-j 71 two words\n" {
		t.Errorf("%d %v %q", code, err, out.String())
	}
	b.program(t, "sacct", `yes | head -c 3000000`)
	out.Reset()
	if code, err := d.team.callSlurm("sacct", nil, &out); err != nil || code != 0 || out.Len() != 3_000_000 {
		t.Errorf("%d %v, %d bytes", code, err, out.Len())
	}
	if _, err := d.team.callSlurm("sbatch", []string{"--wrap", "x"}, &out); err == nil || !strings.Contains(err.Error(), "scriptCommands") {
		t.Error(err)
	}
	if _, err := d.team.callSlurm("squeue", []string{strings.Repeat("x", mostAsked)}, &out); err == nil || !strings.Contains(err.Error(), "are the most") {
		t.Error(err)
	}
	d.calls = nil
	if _, err := d.team.callSlurm("squeue", nil, &out); err == nil || !strings.Contains(err.Error(), "first node") {
		t.Error(err)
	}
}

func TestOursIsNotSubmitted(t *testing.T) {
	got := withoutOurs([]string{"PATH=/spill-bin:/usr/bin:/spill-bin", "SPILL_TEAM=/x", "A=b"}, "/spill-bin")
	if strings.Join(got, " ") != "PATH=/usr/bin A=b" {
		t.Error(got)
	}
}

// dropsLost is a wire on which nobody ever hears that a number is not waited for any more.
func (b *callBench) dropsLost() {
	send := b.book.send
	b.book.send = func(typ byte, body any) {
		if !body.(*callBody).Drop {
			send(typ, body)
		}
	}
}

func TestWhatIsNotWaitedForEndsAlsoIfItsDropWasLost(t *testing.T) {
	b := startCalls(t, callOwn, nil)
	b.dropsLost()
	b.program(t, "squeue", `echo "$1"`)
	b.program(t, "sinfo", `echo $$ >> "$LOG"; exec sleep 300`)
	gone := make(chan struct{})
	done := make(chan error, 1)
	go func() {
		_, err := b.book.run(asking("sinfo"), func(int, []byte) error { return nil }, gone)
		done <- err
	}()
	await(t, "a start", func() bool { return len(b.log()) == 1 })
	for n := range 2 * mostCalls {
		if out, _, end := b.ran(t, asking("squeue", fmt.Sprint(n))); out != fmt.Sprintln(n) {
			t.Fatalf("%d: %q %+v", n, out, end)
		}
	}
	var pid int
	fmt.Sscan(b.log()[0], &pid)
	if err := syscall.Kill(pid, 0); err != nil {
		t.Errorf("one that is waited for: %v", err)
	}
	close(gone)
	<-done
	b.ran(t, asking("squeue", "last"))
	await(t, "its end", func() bool { return syscall.Kill(pid, 0) == syscall.ESRCH })
}

func TestWhatWasRefusedIsNotRunWhenItComesAgain(t *testing.T) {
	var told []*calledBody
	dir := t.TempDir()
	h := newCallHost(callRules{Which: callOwn, Job: "71"}, []string{"LOG=" + dir + "/log"}, finder(dir, ""), func(_ byte, body any) { told = append(told, body.(*calledBody)) })
	b := &callBench{host: h, dir: dir}
	ask := asking("squeue")
	again := &callBody{Session: "0123456789abcdef", N: 1, Run: &ask}
	h.take(again) // there is no such program yet
	b.program(t, "squeue", `echo run >> "$LOG"`)
	h.take(again)
	h.take(&callBody{Session: again.Session, N: 1, Drop: true})
	h.take(again)
	for i, said := range told {
		if said.End == nil || !strings.Contains(said.End.Refused, "no squeue in") {
			t.Errorf("%d: %+v", i, said.End)
		}
	}
	if len(told) != 3 || len(h.calls) != 0 {
		t.Errorf("%d answers, %d programs", len(told), len(h.calls))
	}
}

func TestALateReaderLosesNothingOfAProgramThatHasEnded(t *testing.T) {
	b := startCalls(t, callOwn, nil)
	b.host.leftover = 20 * time.Millisecond
	const size = callHeld + 32<<10 + 20<<10 // held, in hand, and in the pipe
	b.program(t, "sacct", fmt.Sprintf(`yes | head -c %d; echo end >> "$LOG"`, size))
	read := b.readLater()
	await(t, "its end", func() bool { return len(b.log()) == 1 })
	time.Sleep(10 * b.host.leftover)
	if end, got := read(); end.Code == nil || *end.Code != 0 || got != size {
		t.Errorf("%+v, %d bytes instead of %d", end, got, size)
	}
}

func TestWhatAProgramLeavesBehindWithItsOutputKeepsNobody(t *testing.T) {
	b := startCalls(t, callOwn, nil)
	b.host.leftover = 20 * time.Millisecond
	b.program(t, "squeue", `sleep 300 & echo $! >> "$LOG"; echo out`)
	out, _, end := b.ran(t, asking("squeue"))
	var pid int
	fmt.Sscan(b.log()[0], &pid)
	defer syscall.Kill(pid, syscall.SIGKILL)
	if out != "out\n" || end.Code == nil {
		t.Errorf("%q %+v", out, end)
	}
}

func TestASitesScriptInAProgramsPlaceEndsWithWhatItRuns(t *testing.T) {
	b := startCalls(t, callOwn, nil)
	b.program(t, "squeue", `sleep 300 & echo $! >> "$LOG"; wait`)
	gone := make(chan struct{})
	go b.book.run(asking("squeue"), func(int, []byte) error { return nil }, gone)
	await(t, "a start", func() bool { return len(b.log()) == 1 })
	close(gone)
	var pid int
	fmt.Sscan(b.log()[0], &pid)
	await(t, "its end", func() bool {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		return len(text) == 0 // gone, or not yet reaped by whoever inherited it
	})
}

func TestWhatNoFrameHoldsIsRefusedAndNotSent(t *testing.T) {
	b := startCalls(t, callOwn, nil)
	b.book.send = func(byte, any) { t.Error("sent") }
	ask := asking("squeue")
	for range 200_000 {
		ask.Args = append(ask.Args, bytes64("1"))
	}
	if _, _, end := b.ran(t, ask); !strings.Contains(end.Refused, "nothing was run") {
		t.Errorf("%+v", end)
	}
}

func TestNothingIsSubmittedFromADirectoryThatIsGone(t *testing.T) {
	b := startCalls(t, callAll, nil)
	b.program(t, "sbatch", `echo run >> "$LOG"`)
	ask := asking("sbatch", "--wrap", "x")
	ask.Cwd = bytes64{}
	if _, _, end := b.ran(t, ask); !strings.Contains(end.Refused, "is gone") || len(b.log()) != 0 {
		t.Errorf("%+v", end)
	}
}

func TestAScriptOnStandardInputIsSubmittedBesideFilesThatAreThere(t *testing.T) {
	dir := t.TempDir()
	log, script := dir+"/run.log", dir+"/job.sh"
	os.WriteFile(log, []byte("what it said last time\n"), 0o600)
	os.WriteFile(script, []byte("#!/bin/sh\n"), 0o600)
	stdin := os.Stdin
	defer func() { os.Stdin = stdin }()
	for _, c := range []struct{ args, in string }{{"-o " + log, "#!/bin/sh\n"}, {"-o " + log + " " + script, ""}, {"--wrap=x", ""}} {
		var err error
		if os.Stdin, err = os.Open(script); err != nil {
			t.Fatal(err)
		}
		if in, err := submitted(submits, strings.Fields(c.args)); err != nil || string(in) != c.in {
			t.Errorf("%s: %q %v", c.args, in, err)
		}
		os.Stdin.Close()
	}
}

func TestAnEndThatOvertakesItsAnswerWaitsForIt(t *testing.T) {
	died := make(chan time.Duration, 1)
	seen := make(chan os.Signal, 1) // a signal that arrives after its release would end the tests
	signal.Notify(seen, syscall.SIGTERM)
	defer signal.Stop(seen)
	began := time.Now()
	release := holdTerm(50*time.Millisecond, func() { died <- time.Since(began) })
	syscall.Kill(os.Getpid(), syscall.SIGTERM)
	if after := <-died; after < 50*time.Millisecond {
		t.Errorf("it died after %v", after)
	}
	<-seen
	release()
	release = holdTerm(100*time.Millisecond, func() { died <- 0 })
	syscall.Kill(os.Getpid(), syscall.SIGTERM)
	<-seen
	release()
	select {
	case <-died:
		t.Error("it died though it had its answer")
	case <-time.After(300 * time.Millisecond):
	}
	signal.Ignore(syscall.SIGTERM)
	defer func() { // Reset alone leaves it told as ignored.
		again := make(chan os.Signal, 1)
		signal.Notify(again, syscall.SIGTERM)
		signal.Stop(again)
	}()
	release = holdTerm(time.Millisecond, func() { died <- 0 })
	defer release()
	syscall.Kill(os.Getpid(), syscall.SIGTERM)
	select {
	case <-died:
		t.Error("it died though it ignores the signal")
	case <-time.After(50 * time.Millisecond):
	}
}
