package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// fakeProc is a /proc of the test's making, in which this test's user is root.
type fakeProc struct {
	t *testing.T
	procFS
	dir string
}

func newFakeProc(t *testing.T) *fakeProc {
	dir := t.TempDir()
	return &fakeProc{t: t, dir: dir, procFS: procFS{root: dir + "/proc", owner: uint32(os.Getuid())}}
}

// fakeProcess is what is told of one.
type fakeProcess struct {
	title, name, exe string
	uid              string // all four, or "" for the owner's
	parent           int
	start            int
}

func (p *fakeProc) add(pid int, f fakeProcess) {
	p.t.Helper()
	dir := filepath.Join(p.root, strconv.Itoa(pid))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		p.t.Fatal(err)
	}
	uid := strconv.FormatUint(uint64(p.owner), 10)
	if f.uid == "" {
		f.uid = strings.Join([]string{uid, uid, uid, uid}, "\t")
	}
	files := map[string]string{
		"cmdline": f.title + "\x00",
		"status":  fmt.Sprintf("Name:\t%s\nState:\tS (sleeping)\nUid:\t%s\nGid:\t0\t0\t0\t0\n", f.name, f.uid),
		"stat":    fmt.Sprintf("%d (%s) S %d 1 1 0 -1 4194560 565 0 3 0 0 0 0 0 20 0 4 0 %d 1 1", pid, ") S 1 "+f.name, f.parent, f.start),
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			p.t.Fatal(err)
		}
	}
	os.Remove(dir + "/exe")
	if f.exe != "" {
		if err := os.Symlink(f.exe, dir+"/exe"); err != nil {
			p.t.Fatal(err)
		}
	}
}

// binary is an executable file of that name, root's as far as the test goes.
func (p *fakeProc) binary(name string, mode os.FileMode) string {
	p.t.Helper()
	path := filepath.Join(p.dir, name)
	if err := os.WriteFile(path, nil, 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		p.t.Fatal(err)
	}
	return path
}

func TestOnlyRootsBatchStepIsOne(t *testing.T) {
	p := newFakeProc(t)
	stepd, debian := p.binary("slurmstepd", 0o755), p.binary("slurmstepd-wlm", 0o755)
	loose := filepath.Join(p.dir, "loose")
	os.Mkdir(loose, 0o755)
	writable := filepath.Join(loose, "slurmstepd")
	os.WriteFile(writable, nil, 0o755)
	os.Chmod(writable, 0o777)
	another := fmt.Sprint(me() + 1)
	for name, c := range map[string]struct {
		process fakeProcess
		job     int64
	}{
		"a batch step":          {fakeProcess{title: "slurmstepd: [4711.batch]", name: "slurmstepd", exe: stepd}, 4711},
		"Debian's":              {fakeProcess{title: "slurmstepd: [4711.batch]", name: "slurmstepd-wlm", exe: debian}, 4711},
		"padded with blanks":    {fakeProcess{title: "slurmstepd: [4711.batch]    ", name: "slurmstepd", exe: stepd}, 4711},
		"an upgraded one":       {fakeProcess{title: "slurmstepd: [1.batch]", name: "slurmstepd", exe: p.binary("slurmstepd (deleted)", 0o755)}, 1},
		"a step of srun's":      {fakeProcess{title: "slurmstepd: [4711.0]", name: "slurmstepd", exe: stepd}, 0},
		"the extern step":       {fakeProcess{title: "slurmstepd: [4711.extern]", name: "slurmstepd", exe: stepd}, 0},
		"an interactive step":   {fakeProcess{title: "slurmstepd: [4711.interactive]", name: "slurmstepd", exe: stepd}, 0},
		"a second argument":     {fakeProcess{title: "slurmstepd: [4711.0]\x00slurmstepd: [1.batch]", name: "slurmstepd", exe: stepd}, 0},
		"a prefix":              {fakeProcess{title: "xslurmstepd: [1.batch]", name: "slurmstepd", exe: stepd}, 0},
		"a negative job":        {fakeProcess{title: "slurmstepd: [-1.batch]", name: "slurmstepd", exe: stepd}, 0},
		"a job with a sign":     {fakeProcess{title: "slurmstepd: [+1.batch]", name: "slurmstepd", exe: stepd}, 0},
		"something behind":      {fakeProcess{title: "slurmstepd: [1.batch]x", name: "slurmstepd", exe: stepd}, 0},
		"no title":              {fakeProcess{title: "", name: "slurmstepd", exe: stepd}, 0},
		"another name":          {fakeProcess{title: "slurmstepd: [1.batch]", name: "bash", exe: stepd}, 0},
		"another executable":    {fakeProcess{title: "slurmstepd: [1.batch]", name: "slurmstepd", exe: p.binary("sudo", 0o755)}, 0},
		"a writable executable": {fakeProcess{title: "slurmstepd: [1.batch]", name: "slurmstepd", exe: writable}, 0},
		"no executable":         {fakeProcess{title: "slurmstepd: [1.batch]", name: "slurmstepd"}, 0},
		"a user's":              {fakeProcess{title: "slurmstepd: [1.batch]", name: "slurmstepd", exe: stepd, uid: another + "\t" + another + "\t" + another + "\t" + another}, 0},
		"a set-uid program's":   {fakeProcess{title: "slurmstepd: [1.batch]", name: "slurmstepd", exe: stepd, uid: another + "\t0\t0\t0"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			p.add(100, c.process)
			job, err := p.batchStep(100, false)
			if job != c.job || (err == nil) != (c.job != 0) {
				t.Fatalf("job %d, %v", job, err)
			}
		})
	}
	if _, err := p.batchStep(12345, false); err == nil {
		t.Fatal("a process that is not there")
	}
}

// slurmstepd's child, the user's already, runs TaskProlog: root's slurmstepd is one further up.
func TestTaskPrologFindsTheStepAboveIt(t *testing.T) {
	p := newFakeProc(t)
	stepd := p.binary("slurmstepd", 0o755)
	another := fmt.Sprint(me() + 1)
	user := strings.Join([]string{another, another, another, another}, "\t")
	p.add(10, fakeProcess{title: "slurmstepd: [7.batch]", name: "slurmstepd", exe: stepd, parent: 1})
	p.add(11, fakeProcess{title: "slurmstepd: [7.batch]", name: "slurmstepd", exe: stepd, parent: 10, uid: user})
	p.add(12, fakeProcess{title: "bash\x00x", name: "bash", parent: 10, uid: user})
	p.add(13, fakeProcess{title: "slurmstepd: [8.batch]", name: "slurmstepd", parent: 10, uid: user})
	p.add(14, fakeProcess{title: "slurmstepd: [7.batch]", name: "slurmstepd", parent: 12, uid: user})
	for pid, want := range map[int]int64{10: 7, 11: 7, 12: 0, 13: 0, 14: 0, 99: 0} {
		job, err := p.stepAbove(pid)
		if err == nil && job != want || (err == nil) != (want != 0) {
			t.Errorf("parent %d: job %d, %v", pid, job, err)
		}
	}
}

// spooled makes a slurmd's spool with one script in it.
func spooled(t *testing.T, script string, mode os.FileMode) (pattern, path string) {
	t.Helper()
	root := t.TempDir()
	dir := filepath.Join(root, "c1", "job00042")
	if err := os.MkdirAll(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(dir, "slurm_script")
	if err := os.WriteFile(path, []byte(script), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return root + "/%n", path
}

func me() uint32 { return uint32(os.Getuid()) }

func TestTheStandinsLineIsPutInFrontOnce(t *testing.T) {
	pattern, path := spooled(t, "#!/bin/sh\necho hi\n", 0o700)
	p := newFakeProc(t)
	p.add(10, fakeProcess{title: "slurmstepd: [42.batch]", name: "slurmstepd", exe: p.binary("slurmstepd", 0o755)})
	const want = "#!/opt/spill/spill-standin\n#!/bin/sh\necho hi\n"
	for range 2 {
		if err := handOver("/opt/spill", hostConfig{SpoolDirs: []string{"/no/such", pattern}}, p.procFS, 10); err != nil {
			t.Fatal(err)
		}
		if got := read(t, path); got != want {
			t.Fatalf("%q", got)
		}
	}
}

func TestWhatAnotherSlurmdLeftBehindIsNoDoubt(t *testing.T) {
	const script = "#!/bin/sh\necho hi\n"
	p := newFakeProc(t)
	p.add(10, fakeProcess{title: "slurmstepd: [42.batch]", name: "slurmstepd", exe: p.binary("slurmstepd", 0o755)})
	for name, leave := range map[string]func(t *testing.T, dir string){
		"a directory alone": func(*testing.T, string) {},
		"a script that is not the user's yet": func(t *testing.T, dir string) {
			path := filepath.Join(dir, "slurm_script")
			if os.WriteFile(path, []byte("#!"), 0o700) != nil || os.Chown(path, 12345, -1) != nil {
				t.Skip("needs root")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			pattern, path := spooled(t, script, 0o700)
			dir := filepath.Join(filepath.Dir(filepath.Dir(filepath.Dir(path))), "c0", "job00042")
			if err := os.MkdirAll(dir, 0o750); err != nil {
				t.Fatal(err)
			}
			leave(t, dir)
			if err := handOver("/opt/spill", hostConfig{SpoolDirs: []string{pattern}}, p.procFS, 10); err != nil {
				t.Fatal(err)
			}
			if got := read(t, path); got != "#!/opt/spill/spill-standin\n"+script {
				t.Errorf("%q", got)
			}
		})
	}
}

func TestEveryDoubtFailsClosed(t *testing.T) {
	const script = "#!/bin/sh\necho hi\n"
	p := newFakeProc(t)
	p.add(10, fakeProcess{title: "slurmstepd: [42.batch]", name: "slurmstepd", exe: p.binary("slurmstepd", 0o755)})
	for name, change := range map[string]func(t *testing.T, path string){
		"another mode":             func(t *testing.T, path string) { os.Chmod(path, 0o755) },
		"a directory to write in":  func(t *testing.T, path string) { os.Chmod(filepath.Dir(path), 0o777) },
		"a second name":            func(t *testing.T, path string) { os.Link(path, path+"2") },
		"a symbolic link":          func(t *testing.T, path string) { os.Rename(path, path+"2"); os.Symlink(path+"2", path) },
		"a directory in its place": func(t *testing.T, path string) { os.Remove(path); os.Mkdir(path, 0o700) },
		"no script":                func(t *testing.T, path string) { os.Remove(path) },
		"no directory":             func(t *testing.T, path string) { os.RemoveAll(filepath.Dir(path)) },
		"another owner's": func(t *testing.T, path string) {
			if os.Chown(path, 12345, -1) != nil {
				t.Skip("needs root")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			pattern, path := spooled(t, script, 0o700)
			change(t, path)
			if err := handOver("/opt/spill", hostConfig{SpoolDirs: []string{pattern}}, p.procFS, 10); err == nil {
				t.Fatal("it went on")
			}
			if text, err := os.ReadFile(path); err == nil && string(text) != script {
				t.Errorf("it changed %q", text)
			}
		})
	}
	pattern, path := spooled(t, script, 0o700)
	if handOver("/opt/a path with blanks", hostConfig{SpoolDirs: []string{pattern}}, p.procFS, 10) == nil {
		t.Error("a path that no interpreter's line can hold")
	}
	if handOver("/"+strings.Repeat("x", 130), hostConfig{SpoolDirs: []string{pattern}}, p.procFS, 10) == nil {
		t.Error("a path that is too long")
	}
	if read(t, path) != script {
		t.Error("the script was touched")
	}
}

// Cut short at any byte that is written, what lies there is either complete or refused by the kernel.
func TestATornScriptIsNeverExecuted(t *testing.T) {
	canary := t.TempDir() + "/canary"
	script := "#!/bin/sh\ntouch " + canary + "\n"
	line := "#!" + t.TempDir() + "/spill-standin\n"
	states := []string{""}
	for n := 1; n <= len(script); n++ { // the body, behind a hole
		states = append(states, strings.Repeat("\x00", len(line))+script[:n])
	}
	for n := 1; n < len(line); n++ { // the line, even if its one write could be torn
		states = append(states, line[:n]+strings.Repeat("\x00", len(line)-n)+script)
	}
	path := filepath.Join(t.TempDir(), "slurm_script")
	for _, state := range states {
		if err := os.WriteFile(path, []byte(state), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := exec.Command(path).Run(); err == nil {
			t.Errorf("%q was executed", state)
		}
	}
	if _, err := os.Stat(canary); err == nil {
		t.Fatal("the user's script ran")
	}
}

func TestTheConfigurationMustBeRoots(t *testing.T) {
	dir := t.TempDir()
	path := dir + "/spill.json"
	os.WriteFile(path, []byte(`{"relaySocket": "/run/x.sock", "unknown": 1}`), 0o644)
	config, err := readHostConfig(path, me())
	if err != nil || config.RelaySocket != "/run/x.sock" || len(config.SpoolDirs) == 0 || config.ScriptCommands != callOwn {
		t.Fatalf("%+v, %v", config, err)
	}
	steps := []struct {
		name   string
		change func()
	}{
		{"writable by the group", func() { os.Chmod(path, 0o664) }},
		{"writable by all", func() { os.Chmod(path, 0o646) }},
		{"in a writable folder", func() { os.Chmod(path, 0o644); os.Chmod(dir, 0o777) }},
		{"a link", func() { os.Chmod(dir, 0o755); os.Rename(path, path+".x"); os.Symlink(path+".x", path) }},
		{"of unknown commands", func() { os.Remove(path); os.WriteFile(path, []byte(`{"scriptCommands": "some"}`), 0o644) }},
		{"not JSON", func() { os.Remove(path); os.WriteFile(path, []byte("{"), 0o644) }},
		{"not there", func() { os.Remove(path) }},
	}
	for _, step := range steps {
		step.change()
		if _, err := readHostConfig(path, me()); err == nil {
			t.Errorf("%s: accepted", step.name)
		}
	}
	os.WriteFile(path, []byte("{}"), 0o644)
	if _, err := readHostConfig(path, me()+1); err == nil {
		t.Error("another user's: accepted")
	}
}

func TestTheSitesOwnTaskPrologIsChained(t *testing.T) {
	path := t.TempDir() + "/site"
	os.WriteFile(path, []byte("#!/bin/sh\necho export SITE=$FROM_JOB\nexit $CODE\n"), 0o755)
	for _, code := range []string{"0", "3"} {
		c := exec.Command("/proc/self/exe")
		c.Env = []string{"SPILL_TEST_PROGRAM=chain", "CHAIN=" + path, "FROM_JOB=x y", "CODE=" + code}
		out, _ := c.Output()
		if string(out) != "export SITE=x y\n" || strconv.Itoa(c.ProcessState.ExitCode()) != code {
			t.Errorf("%q, %v", out, c.ProcessState)
		}
	}
	if chain("") != 0 || chain("/no/such") != 1 {
		t.Error("none is well, one that cannot be run is not")
	}
}

func TestInstallLinksEveryName(t *testing.T) {
	dir := t.TempDir() + "/bin"
	for range 2 { // an init container may be run again
		if err := install("/proc/self/exe", dir); err != nil {
			t.Fatal(err)
		}
	}
	entries, _ := os.ReadDir(dir)
	if len(entries) != len(programs)+1 {
		t.Fatalf("%v", entries)
	}
	first, _ := os.Stat(dir + "/spill")
	for name := range programs {
		info, err := os.Stat(dir + "/" + name)
		if err != nil || !os.SameFile(first, info) || info.Mode().Perm() != 0o755 {
			t.Errorf("%s: %v %v", name, info, err)
		}
	}
}
