package main

import (
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

func TestAJobGoesAllTheWay(t *testing.T) {
	pod := startPod(t)
	g := newFakeGateway(t, pod.address, startLike)
	job := startJob(t, g, "#!/bin/sh\necho out $1; echo err >&2; exit 7\n", nil, "an argument")
	if state := job.wait(); state.ExitCode() != 7 {
		t.Fatalf("%v", state)
	}
	if out, err := read(t, job.stdout), read(t, job.stderr); out != "out an argument\n" || err != "err\n" {
		t.Fatalf("stdout %q, stderr %q", out, err)
	}
	if code := pod.keeper.wait().ExitCode(); code != 0 {
		t.Fatalf("keeper ended by %d", code)
	}
	if code := pod.main.wait().ExitCode(); code != 7 {
		t.Fatalf("main ended by %d", code)
	}
}

func TestOutputIsIdenticalThoughTheConnectionsAreCut(t *testing.T) {
	const total = 100 << 20
	pod := startPod(t)
	g := newFakeGateway(t, pod.address, startLike)
	job := startJob(t, g, writerScript(t, fmt.Sprint(total)), nil)
	random := rand.New(rand.NewPCG(7, 7))
	for cut := 1; cut <= 8; cut++ {
		at := int64(total) * int64(cut) / 10
		g.until("enough output", func() bool { return g.data >= at || g.exit != nil })
		switch random.IntN(3) {
		case 0:
			g.cutA()
		case 1:
			g.cutB()
		default:
			g.cutA()
			g.cutB()
		}
	}
	if state := job.wait(); state.ExitCode() != 0 {
		t.Fatalf("%v", state)
	}
	want := expected(total, false)
	if got := sumOfFile(t, job.stdout); got != want[1] {
		t.Errorf("stdout is %s instead of %s", got, want[1])
	}
	if got := sumOfFile(t, job.stderr); got != want[2] {
		t.Errorf("stderr is %s instead of %s", got, want[2])
	}
	pod.keeper.wait()
}

func TestJoinedOutputKeepsItsOrder(t *testing.T) {
	const total = 20 << 20
	pod := startPod(t)
	g := newFakeGateway(t, pod.address, startLike)
	job := startJob(t, g, writerScript(t, fmt.Sprint(total)), func(c *exec.Cmd) { c.Stderr = c.Stdout })
	if state := job.wait(); state.ExitCode() != 0 {
		t.Fatalf("%v", state)
	}
	if got, want := sumOfFile(t, job.stdout), expected(total, true)[1]; got != want {
		t.Errorf("output is %s instead of %s", got, want)
	}
	if g.ended().Ends.Err != 0 {
		t.Errorf("channel 2 ended at %d", g.ended().Ends.Err)
	}
}

// Every byte whose write(2) had returned must arrive, and the end is said to be unknown.
func TestProcessOneIsKilledAndNothingWrittenIsLost(t *testing.T) {
	pod := startPod(t)
	counter := t.TempDir() + "/counter"
	g := newFakeGateway(t, pod.address, startLike)
	job := startJob(t, g, writerScript(t, fmt.Sprint(1<<30), counter), nil)
	g.until("10 MB of output", func() bool { return g.forward[1]+g.forward[2] >= 10<<20 })
	pod.main.cmd.Process.Kill()
	state := job.wait()
	if status := state.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != syscall.SIGKILL {
		t.Errorf("the stand-in ended by %v", state)
	}
	exit := g.ended()
	if !exit.Lost {
		t.Errorf("EXIT says %+v", exit)
	}
	var written [3]int64
	if _, err := fmt.Sscan(read(t, counter), &written[1], &written[2]); err != nil {
		t.Fatal(err)
	}
	const line = "spillway: the job was lost: main ended without a report\n"
	stdout, stderr := read(t, job.stdout), read(t, job.stderr)
	if !strings.HasSuffix(stderr, line) {
		t.Error("the owner is not told")
	}
	stderr = strings.TrimSuffix(stderr, line)
	for fd, got := range map[int]string{1: stdout, 2: stderr} {
		ends := []int64{1: exit.Ends.Out, 2: exit.Ends.Err}[fd]
		if int64(len(got)) != ends || ends < written[fd] {
			t.Errorf("descriptor %d: %d bytes arrived, %d written, EXIT says %d", fd, len(got), written[fd], ends)
		}
	}
	var at [3]int
	pieces(1<<30, func(fd int, p []byte) {
		got := []string{1: stdout, 2: stderr}[fd]
		if rest := got[min(at[fd], len(got)):]; rest[:min(len(p), len(rest))] != string(p[:min(len(p), len(rest))]) {
			t.Fatalf("descriptor %d differs after %d bytes", fd, at[fd])
		}
		at[fd] += len(p)
	})
	if pod.keeper.wait().ExitCode() != 0 {
		t.Error("the keeper failed")
	}
}
