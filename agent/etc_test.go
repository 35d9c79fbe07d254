package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheImagesFilesKnowTheUserAndTheJobsHosts(t *testing.T) {
	dir := t.TempDir()
	if err := installEtc(dir); err != nil {
		t.Fatal(err)
	}
	if text := read(t, filepath.Join(dir, etcPasswd)); !strings.HasPrefix(text, "root:x:0:0:") {
		t.Fatalf("%q", text)
	}
	before, err := os.Stat(filepath.Join(dir, etcPasswd))
	if err != nil {
		t.Fatal(err)
	}
	start := &startBody{
		User:   userBody{UID: 2001, GID: 2001, User: "alice", Home: "/home/alice", Shell: "/bin/bash"},
		Groups: []int64{3001, 3002}, Names: map[string]string{"2001": "alice", "3001": "physics"},
		Team: &teamBody{Hosts: []hostBody{{"n1", "10.1.0.5"}, {"n2", "10.1.1.5"}}},
	}
	if err := writeEtc(dir, start); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		etcPasswd: "root:x:0:0:root:/root:/bin/sh\nalice:x:2001:2001::/home/alice:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
		etcGroup:  "root:x:0:\nalice:x:2001:\nphysics:x:3001:\nnogroup:x:65534:\n",
		etcHosts:  "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n10.1.0.5 n1\n10.1.1.5 n2\n",
	} {
		if got := read(t, filepath.Join(dir, name)); got != want {
			t.Errorf("%s: %q instead of %q", name, got, want)
		}
	}
	after, err := os.Stat(filepath.Join(dir, etcPasswd))
	if err != nil || !os.SameFile(before, after) {
		t.Errorf("another file now: what is mounted by subPath would be the old one (%v)", err)
	}
}

// What a name service says must not become an entry of its own.
func TestANameCannotAddALineToPasswd(t *testing.T) {
	text := string(passwdFile(&startBody{User: userBody{
		UID: 2001, GID: 2001, User: "a\nevil:x:0:0::/:/bin/sh", Home: "/h:0:0", Shell: "/bin/sh\nx",
	}}))
	if strings.Count(text, "\n") != 3 || strings.Contains(text, "\nevil:") || strings.Count(text, ":0:0:") != 1 {
		t.Fatalf("%q", text)
	}
	hosts := string(hostsFile([]hostBody{{"n1\n6.6.6.6 n2", "1.1.1.1"}}))
	if strings.Contains(hosts, "6.6.6.6") {
		t.Fatalf("%q", hosts)
	}
}

func TestTheKeeperWritesThemBeforeTheScriptRuns(t *testing.T) {
	etc := t.TempDir()
	if err := installEtc(etc); err != nil {
		t.Fatal(err)
	}
	pod := startPodWith(t, inPidNamespace, "SPILL_ETC="+etc)
	g := newFakeGateway(t, pod.address, func(o *openBody) *startBody {
		s := startLike(o)
		s.User.User = "somebody"
		s.Team = &teamBody{Hosts: []hostBody{{"n1", "127.0.0.9"}}, Port: int64(freeTeamPort(t))}
		return s
	})
	job := startJob(t, g, "#!/bin/sh\ncat "+etc+"/hosts\n", nil)
	job.wait()
	if out := read(t, job.stdout); !strings.HasSuffix(out, "127.0.0.9 n1\n") {
		t.Fatalf("%q; %s", out, read(t, job.stderr))
	}
}
