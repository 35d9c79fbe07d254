package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// buildSpill installs the executable as it is shipped.
func buildSpill(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", dir+"/built", ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	bin := filepath.Join(dir, "bin")
	if out, err := exec.Command(dir+"/built", "install", bin).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return bin
}

// Hundreds of stand-ins share one small host, and a keeper's memory is the user's money. More than half of it is the executable itself,
// which all on a host share; HTTP and TLS are in it for the data that a job may need, used or not.
func TestEachProcessStaysUnderTwelveMegabytes(t *testing.T) {
	if testing.Short() {
		t.Skip("1 GiB of output")
	}
	if os.Getuid() != 0 {
		t.Skip("needs root: the stand-in's configuration must be root's")
	}
	bin := buildSpill(t)
	t.Setenv("SPILL_TEST_BIN", bin)
	const total = 1 << 30
	pod := startPod(t)
	g := newFakeGateway(t, pod.address, startLike)
	config, _ := json.Marshal(map[string]string{"relaySocket": g.listener.Addr().String()})
	if err := os.WriteFile(filepath.Join(bin, "spill.json"), config, 0o644); err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(t.TempDir(), "slurm_script")
	line, err := standinLine(bin)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(script, []byte(line+writerScript(t, fmt.Sprint(total))), 0o700); err != nil {
		t.Fatal(err)
	}
	g.hold = true
	began := time.Now()
	standin := startProcess(t, "spill-standin", nil, func(c *exec.Cmd) {
		c.Path, c.Args = script, []string{script}   // the kernel finds the stand-in in its first line
		c.Stdout, c.Stderr = drained(t), drained(t) // two pipes: both channels are in use
	})
	g.until("most of the output", func() bool { return g.data > total/10*7 })
	report(t, "main", pod.main)
	g.until("all of it acknowledged", func() bool {
		return g.exit != nil && g.acked[1] == g.exit.Ends.Out && g.acked[2] == g.exit.Ends.Err
	})
	took := time.Since(began)
	report(t, "standin", standin)
	report(t, "keeper", pod.keeper)
	t.Logf("%d MB/s", int64(total)/1_000_000*1000/took.Milliseconds())
	g.mu.Lock()
	g.hold = false
	g.mu.Unlock()
	g.step()
	if code := standin.wait().ExitCode(); code != 0 {
		t.Errorf("the stand-in ended by %d", code)
	}
}

func report(t *testing.T, name string, p *process) {
	t.Helper()
	kb, rssFile := p.hwm(), statusKB(t, p.cmd.Process.Pid, "RssFile")
	t.Logf("%s: VmHWM %d kB, of it files %d kB now", name, kb, rssFile)
	if kb > 12<<10 {
		t.Errorf("%s took more than 12 MB", name)
	}
}

// drained is a pipe whose other end somebody reads.
func drained(t *testing.T) *os.File {
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { writer.Close() })
	go io.Copy(io.Discard, reader)
	return writer
}
