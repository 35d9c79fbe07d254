package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestAJobGoesAllTheWay(t *testing.T) {
	pod := startPod(t, inPidNamespace)
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
	pod := startPod(t, inPidNamespace)
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
	t.Logf("gateway saw %d bytes of output, errors %v", g.data, g.errors)
}

func TestJoinedOutputKeepsItsOrder(t *testing.T) {
	const total = 20 << 20
	pod := startPod(t, inPidNamespace)
	g := newFakeGateway(t, pod.address, startLike)
	job := startJob(t, g, writerScript(t, fmt.Sprint(total)), func(c *exec.Cmd) { c.Stderr = c.Stdout })
	if state := job.wait(); state.ExitCode() != 0 {
		t.Fatalf("%v", state)
	}
	if got, want := sumOfFile(t, job.stdout), expected(total, true)[1]; got != want {
		t.Errorf("output is %s instead of %s", got, want)
	}
	if g.exit.Ends.Err != 0 {
		t.Errorf("channel 2 ended at %d", g.exit.Ends.Err)
	}
}

// Every byte whose write(2) had returned must arrive, and the end is said to be unknown.
func TestProcessOneIsKilledAndNothingWrittenIsLost(t *testing.T) {
	pod := startPod(t, inPidNamespace)
	counter := t.TempDir() + "/counter"
	g := newFakeGateway(t, pod.address, startLike)
	job := startJob(t, g, writerScript(t, fmt.Sprint(1<<30), counter), nil)
	g.until("10 MB of output", func() bool { return g.forward[1]+g.forward[2] >= 10<<20 })
	pod.main.cmd.Process.Kill()
	state := job.wait()
	if status := state.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != syscall.SIGKILL {
		t.Errorf("the stand-in ended by %v", state)
	}
	if !g.exit.Lost {
		t.Errorf("EXIT says %+v", g.exit)
	}
	var written [3]int64
	if _, err := fmt.Sscan(read(t, counter), &written[1], &written[2]); err != nil {
		t.Fatal(err)
	}
	for fd, path := range map[int]string{1: job.stdout, 2: job.stderr} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		ends := map[int]int64{1: g.exit.Ends.Out, 2: g.exit.Ends.Err}[fd]
		line := int64(0)
		if fd == 2 {
			line = int64(len("spillway: the job was lost: main ended without a report\n"))
		}
		if info.Size()-line != ends || ends < written[fd] {
			t.Errorf("descriptor %d: %d bytes arrived, %d written, EXIT says %d", fd, info.Size(), written[fd], ends)
		}
	}
	if pod.keeper.wait().ExitCode() != 0 {
		t.Error("the keeper failed")
	}
	if !strings.HasSuffix(read(t, job.stderr), "without a report\n") {
		t.Error("the owner is not told")
	}
	_ = time.Now
}
