package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
)

// startHost is the far end alone, and what it has said, to be read under its lock.
func startHost(t *testing.T, which string) (*callBench, *[]*calledBody) {
	b, told := &callBench{dir: t.TempDir()}, new([]*calledBody)
	tell := func(_ byte, body any) { *told = append(*told, body.(*calledBody)) }
	b.host = newCallHost(callRules{Which: which, Job: "71"}, []string{"PATH=" + os.Getenv("PATH"), "LOG=" + b.dir + "/log"}, finder(b.dir, ""), tell)
	return b, told
}

func (b *callBench) take(session int, n int64, run *callRun) {
	b.host.take(&callBody{Session: fmt.Sprintf("%016x", session), N: n, Run: run, Drop: run == nil})
}

func TestADropThatOvertakesItsCallIsRemembered(t *testing.T) {
	b, told := startHost(t, callOwn)
	b.program(t, "squeue", `echo run >> "$LOG"`)
	ask := asking("squeue")
	b.take(1, 1, nil)
	b.take(1, 1, &ask)
	if len(*told) != 1 || (*told)[0].End == nil || (*told)[0].End.Refused != forgotten || len(b.host.calls) != 0 {
		t.Errorf("%+v, %d programs", *told, len(b.host.calls))
	}
}

func TestProgramsAndSessionsOfAJobAreBounded(t *testing.T) {
	b, told := startHost(t, callOwn)
	b.program(t, "squeue", `exec sleep 300`)
	ask := asking("squeue")
	refused := func() string {
		b.host.mu.Lock()
		defer b.host.mu.Unlock()
		if end := (*told)[len(*told)-1].End; end != nil {
			return end.Refused
		}
		return ""
	}
	for n := range int64(mostCalls) {
		if b.take(1, n+1, &ask); refused() != "" {
			t.Fatalf("%d: %s", n+1, refused())
		}
	}
	if b.take(1, mostCalls+1, &ask); !strings.Contains(refused(), "are running for this job; nothing was run") {
		t.Error(refused())
	}
	for n := range int64(mostCalls) {
		b.take(1, n+1, nil)
	}
	for session := 2; session <= mostSessions; session++ {
		if b.take(session, 1, &ask); refused() != "" {
			t.Fatalf("session %d: %s", session, refused())
		}
		b.take(session, 1, nil)
	}
	if b.take(mostSessions+1, 1, &ask); !strings.Contains(refused(), "too many") || len(b.host.sessions) != mostSessions {
		t.Errorf("%s, %d sessions", refused(), len(b.host.sessions))
	}
}

func TestWhatAHostileMainSaysOfOutputLosesAndEndsNothing(t *testing.T) {
	b, told := startHost(t, callOwn)
	const size = calledPiece + 1000
	b.program(t, "squeue", fmt.Sprintf(`yes | head -c %d`, size))
	b.program(t, "sinfo", `exec sleep 300`)
	ask, sleeper := asking("squeue"), asking("sinfo")
	sessions := []string{"0000000000000001", "0000000000000002"}
	b.take(1, 1, &ask)
	of := func(n int64) *hostCall {
		b.host.mu.Lock()
		defer b.host.mu.Unlock()
		return b.host.calls[callKey{sessions[0], n}]
	}
	await(t, "its end", func() bool {
		c := of(1)
		b.host.mu.Lock()
		defer b.host.mu.Unlock()
		return c.end != nil
	})
	for _, c := range []struct {
		have, at outHave
		out      int
		ended    bool
	}{
		{outHave{}, outHave{}, calledPiece, false},
		{outHave{Out: 1 << 40, Err: 7}, outHave{}, calledPiece, false},
		{outHave{Out: calledPiece}, outHave{Out: calledPiece}, 1000, true},
		{outHave{Out: 5}, outHave{Out: calledPiece}, 1000, true},
	} {
		b.host.take(&callBody{Session: sessions[0], N: 1, Have: c.have})
		said := (*told)[len(*told)-1]
		if said.At != c.at || len(said.Out) != c.out || (said.End != nil) != c.ended {
			t.Errorf("%+v: at %+v, %d bytes, %+v", c.have, said.At, len(said.Out), said.End)
		}
	}
	b.take(1, 2, &sleeper)
	b.take(1, 3, &sleeper)
	before := len(*told)
	b.host.take(&callBody{Session: sessions[0], N: 2, Run: &sleeper, Waits: []int64{1, 2}}) // it was under way, or the answer was lost
	if len(*told) != before+1 {
		t.Error("a number that was taken is not told again")
	}
	b.host.take(&callBody{Session: sessions[1], N: 9, Run: &ask, Waits: []int64{9}})
	for n := range int64(3) {
		if of(n+1) == nil {
			t.Errorf("%d was ended", n+1)
		}
	}
	b.host.take(&callBody{Session: sessions[0], N: 8})
	b.host.mu.Lock()
	if said := (*told)[len(*told)-1]; said.N != 8 || said.End == nil || said.End.Refused != forgotten {
		t.Errorf("%+v", said)
	}
	b.host.mu.Unlock()
	b.take(1, 2, nil)
	b.take(1, 3, nil)
}

func TestAProgramThatIsDroppedWhileItIsHeldBackLeavesNothing(t *testing.T) {
	b, _ := startHost(t, callOwn)
	b.program(t, "squeue", `yes`)
	ask := asking("squeue")
	b.take(1, 1, &ask)
	b.host.mu.Lock()
	c := b.host.calls[callKey{fmt.Sprintf("%016x", 1), 1}]
	b.host.mu.Unlock()
	await(t, "all that is held", func() bool { return b.host.held() >= callHeld })
	b.take(1, 1, nil)
	await(t, "its end", func() bool {
		b.host.mu.Lock()
		defer b.host.mu.Unlock()
		return c.end != nil
	})
}

func TestAnAnswerOfAnotherSessionIsNobodys(t *testing.T) {
	book := newCallBook(func(byte, any) {})
	news := make(chan *calledBody, 1)
	book.waiting[1] = news
	book.answered(&calledBody{Session: strings.Repeat("0", 16), N: 1})
	book.answered(&calledBody{Session: book.session, N: 2})
	if len(news) != 0 {
		t.Error("it was taken")
	}
}

func TestWhoGivesUpInTheQueueLeavesNoPlaceTaken(t *testing.T) {
	book := newCallBook(func(byte, any) { t.Error("sent") })
	book.begin <- struct{}{}
	gone := make(chan struct{})
	close(gone)
	for range 4 * mostCalls {
		if _, err := book.run(asking("squeue"), nil, gone); err != errNobodyWaits {
			t.Fatal(err)
		}
	}
	if len(book.slots) != 0 {
		t.Errorf("%d places", len(book.slots))
	}
}

type closedWriter struct{}

func (closedWriter) Write([]byte) (int, error) { return 0, syscall.EPIPE }

func TestAProgramWhoseReaderWentAwayEnds(t *testing.T) {
	b := startCalls(t, callOwn, nil)
	b.program(t, "squeue", `echo $$ >> "$LOG"; exec yes`)
	d := startDaemon(t, "a1")
	d.calls, d.team.Calls = b.book, true
	if code, err := d.team.callSlurm("squeue", nil, closedWriter{}); err == nil {
		t.Errorf("it ended with %d", code)
	}
	var pid int
	fmt.Sscan(b.log()[0], &pid)
	await(t, "its end", func() bool { return syscall.Kill(pid, 0) == syscall.ESRCH })
}

func TestAnImagesOwnProgramIsTakenOnlyWhereItCouldTalkToACluster(t *testing.T) {
	dir := t.TempDir()
	there, gone := dir+"/squeue", dir+"/gone"
	if err := os.WriteFile(there, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	confs, keys := slurmConfs, slurmKeys
	t.Cleanup(func() { slurmConfs, slurmKeys = confs, keys })
	t.Setenv("PATH", "relative:"+dir)
	for _, c := range []struct{ variable, conf, key, own string }{
		{"", there, there, there}, {there, gone, there, there}, {"", gone, there, ""}, {gone, gone, there, ""}, {"", there, gone, ""}, {there, there, gone, ""},
	} {
		t.Setenv("SLURM_CONF", c.variable)
		slurmConfs, slurmKeys = []string{c.conf}, []string{c.key}
		if own := imagesOwn("squeue"); own != c.own {
			t.Errorf("%+v: %q", c, own)
		}
	}
}

func TestOnlyAnotherProgramThatMayBeExecutedIsSlurms(t *testing.T) {
	dir := t.TempDir()
	os.Mkdir(dir+"/sinfo", 0o755)
	os.WriteFile(dir+"/sacct", []byte("#!/bin/sh\n"), 0o644)
	os.WriteFile(dir+"/sprio", []byte("#!/bin/sh\n"), 0o755)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	os.Symlink(self, dir+"/squeue")
	t.Chdir(dir)
	for _, name := range []string{"sinfo", "sacct", "squeue", "sstat"} {
		if file := slurms(name, []string{dir}); file != "" {
			t.Error(file)
		}
	}
	if file := slurms("sprio", []string{"", ".", dir}); file != dir+"/sprio" {
		t.Errorf("%q", file)
	}
	if file, err := finder(t.TempDir(), dir)("sprio"); err == nil {
		t.Errorf("%s is not in the directory that was named", file)
	}
}

func TestWhatIsSubmittedHasTheHostsSlurmUnlessTheScriptNamesAnother(t *testing.T) {
	own := []string{"SLURM_CONF=/host/slurm.conf", "SECRET=host"}
	for said, want := range map[string]string{"A=b": "A=b SLURM_CONF=/host/slurm.conf", "SLURM_CONF=/its/own": "SLURM_CONF=/its/own"} {
		if got := environFor(own, &callRun{Program: submits, Env: asBytes([]string{said})}); strings.Join(got, " ") != want {
			t.Errorf("%s: %v", said, got)
		}
	}
}
