package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// signsFor answers BLOBS that come on a connection, and gives the STAGED that ends them.
func (s *stageStore) signsFor(l *link) *stagedBody {
	s.t.Helper()
	for {
		l.conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		_, body, err := l.read()
		if err != nil {
			s.t.Fatalf("no STAGED: %v", err)
		}
		switch b := body.(type) {
		case *blobsBody:
			answer := &signedBody{ID: b.ID, N: b.N, Blobs: []signedBlob{}}
			for _, blob := range b.Blobs {
				answer.Blobs = append(answer.Blobs, s.sign(b.Method, blob))
			}
			l.send(tSigned, answer)
		case *stagedBody:
			return b
		}
	}
}

// podInProcess is a real main on a keeper of the bench, as the user that the test runs as.
func (b *keeperBench) podInProcess() (ended chan int) {
	b.t.Helper()
	gids, _ := os.Getgroups()
	groups := []string{strconv.Itoa(os.Getgid())}
	for _, gid := range gids {
		groups = append(groups, strconv.Itoa(gid))
	}
	env := map[string]string{
		"SPILL_UID": strconv.Itoa(os.Getuid()), "SPILL_GID": strconv.Itoa(os.Getgid()), "SPILL_GROUPS": strings.Join(groups, ","),
		"SPILL_SOCKET": b.config.socket, "SPILL_DIR": b.t.TempDir() + "/job",
	}
	p, err := podFromEnv(func(name string) string { return env[name] })
	if err != nil {
		b.t.Fatal(err)
	}
	p.config.signal = func(string, int, int) {}
	ended = make(chan int, 1)
	go func() { ended <- p.serve() }()
	await(b.t, "main to be there", func() bool { b.mu.Lock(); defer b.mu.Unlock(); return b.main != "absent" })
	return ended
}

func TestDataComeIntoAPodBeforeItsStartAndOutAfterItsEnd(t *testing.T) {
	s, b, from := newStageStore(t), startKeeper(t, nil), sample(t)
	sent := noFault(t, s.sendAll(true, from))
	ended := b.podInProcess()
	l, ready := b.gateway(1)
	if !ready.Stages {
		t.Fatal("it does not say that it can")
	}
	to := t.TempDir()
	in, out := to+"/in", to+"/out"
	fetch := stageBody{ID: "1", Way: wayOut, Paths: asBytes([]string{in}), Manifest: sent.Manifest, Mark: "m", Say: []string{}}
	l.send(tStage, fetch)
	noFault(t, s.signsFor(l))
	if a, b := tree(t, from), tree(t, in); len(a) != len(b) {
		t.Fatalf("%q\n%q", a, b)
	}
	// Another gateway that does not know how it went is told.
	l, _ = b.gateway(2)
	l.send(tStage, fetch)
	if r := expect[*stagedBody](t, l); r.ID != "1" || r.Fault != "" || r.Files != 5 {
		t.Fatalf("%+v", r)
	}
	script := "#!/bin/sh\nmkdir " + out + " && cp " + in + "/a.txt " + out + "/made\nexit 3\n"
	sendData(l, chScript, 0, script)
	sendData(l, chEnv, 0, "PATH=/usr/bin:/bin\x00")
	l.send(tClose, closing(chScript, script))
	l.send(tClose, closing(chEnv, "PATH=/usr/bin:/bin\x00"))
	await(t, "the script to be there", func() bool { _, closed := b.keeper.env.state(); return closed })
	start := benchStart()
	start.Stays = true
	gids, _ := os.Getgroups()
	start.Groups = []int64{}
	for _, gid := range gids {
		start.Groups = append(start.Groups, int64(gid))
	}
	l.send(tStart, start)
	// The end of the script is told though main stays.
	var exit *exitBody
	for exit == nil {
		_, body, err := l.read()
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := body.(*errorBody); ok {
			t.Fatalf("%+v", e)
		}
		exit, _ = body.(*exitBody)
	}
	if exit.Code == nil || *exit.Code != 3 {
		t.Fatalf("%+v", exit)
	}
	if isDone(b.over) || len(ended) > 0 {
		t.Fatal("it did not stay")
	}
	l.send(tStage, stageBody{ID: "2", Way: wayIn, Paths: asBytes([]string{out}), Mark: "m", Say: []string{}})
	made := noFault(t, s.signsFor(l))
	home := t.TempDir() + "/home"
	noFault(t, s.fetchAll(made.Manifest, time.Now(), home))
	if got := read(t, home+"/made"); got != "alpha" {
		t.Error(got)
	}
	l.send(tStage, stageBody{ID: "3", Way: wayNone, Paths: []bytes64{}, Mark: "m", Say: []string{}})
	if r := expect[*stagedBody](t, l); r.ID != "3" {
		t.Fatalf("%+v", r)
	}
	if code := <-ended; code != 3 {
		t.Errorf("main ended by %d", code)
	}
	await(t, "the keeper to know", func() bool { b.mu.Lock(); defer b.mu.Unlock(); return b.mainGone })
	l.send(tStage, stageBody{ID: "4", Way: wayIn, Paths: asBytes([]string{out}), Mark: "m", Say: []string{}})
	if r := expect[*stagedBody](t, l); !strings.HasPrefix(r.Fault, "main_gone") {
		t.Errorf("%+v", r)
	}
}

func TestAMainThatStaysEndsWithItsKeeper(t *testing.T) {
	b := startKeeper(t, nil)
	ended := b.podInProcess()
	l, _ := b.gateway(1)
	feed(t, l)
	start := benchStart()
	start.Stays = true
	gids, _ := os.Getgroups()
	for _, gid := range gids {
		start.Groups = append(start.Groups, int64(gid))
	}
	l.send(tStart, start)
	expect[*exitBody](t, l)
	l.send(tBye, byeBody{})
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Fatal("main is still there")
	}
}

func TestAMainThatDiesWhileItCarriesIsTold(t *testing.T) {
	b := startKeeper(t, nil)
	main := b.mainConn("")
	l, _ := b.gateway(1)
	l.send(tStage, stageBody{ID: "1", Way: wayIn, Paths: asBytes([]string{"/x"}), Mark: "m", Say: []string{}})
	expect[*stageBody](t, main)
	main.close(nil)
	if r := expect[*stagedBody](t, l); r.ID != "1" || !strings.HasPrefix(r.Fault, "main_gone") {
		t.Errorf("%+v", r)
	}
}

func TestAStandInCarriesAndSaysItAgainOnANewConnection(t *testing.T) {
	s, b, from := newStageStore(t), startStandin(t, protocolTiming), sample(t)
	var said []string
	b.stages.say = func(line string) { b.mu.Lock(); defer b.mu.Unlock(); said = append(said, line) }
	b.stages.pause = time.Millisecond
	l, open := b.accept(1)
	if !open.Stages {
		t.Fatal("it does not say that it can")
	}
	order := stageBody{ID: "1", Way: wayIn, Paths: asBytes([]string{from}), Strict: true, Mark: "m", Say: []string{}}
	l.send(tStage, order)
	lost := expect[*blobsBody](t, l)
	l.close(nil) // the question is lost with its connection
	l, _ = b.accept(1)
	l.send(tStage, order)
	if again := expect[*blobsBody](t, l); again.ID != lost.ID {
		t.Fatalf("%+v", again)
	}
	l.send(tStage, order)
	sent := noFault(t, s.signsFor(l))
	to := filepath.Join(t.TempDir(), "set")
	l.send(tStage, stageBody{
		ID: "2", Way: wayOut, Paths: asBytes([]string{to}), Manifest: sent.Manifest, Mark: "m", JobID: 7,
		SinceMs: time.Now().UnixMilli(), Say: []string{"/data/sock is no file"},
	})
	noFault(t, s.signsFor(l))
	if a, b := tree(t, from), tree(t, to); len(a) != len(b) {
		t.Fatalf("%q\n%q", a, b)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(said) != 1 || said[0] != "/data/sock is no file" {
		t.Errorf("%q", said)
	}
}
