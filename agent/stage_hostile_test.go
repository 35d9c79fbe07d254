package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// What a pod that belongs to somebody else, or another user of the same directory, could try.

func (s *stageStore) hold(text []byte) blobBody {
	sum := sha256.Sum256(text)
	key := hex.EncodeToString(sum[:])
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blobs[key] = text
	return blobBody{key, int64(len(text))}
}

func (s *stageStore) listOf(path string, entries ...entry) *blobBody {
	var text bytes.Buffer
	lines := json.NewEncoder(&text)
	lines.Encode(manifestHead{1, []bytes64{bytes64(path)}})
	for _, e := range entries {
		lines.Encode(e)
	}
	blob := s.hold(text.Bytes())
	return &blob
}

func fileOf(path string, c blobBody) entry {
	return entry{Path: bytes64(path), Type: "f", Mode: 0o644, Size: c.Size, Sum: c.Sha256}
}

func dirOf(path string, mode uint32) entry { return entry{Path: bytes64(path), Type: "d", Mode: mode} }

func TestAManifestOfAFileWritesNothingBesideIt(t *testing.T) {
	for _, other := range []entry{
		{Path: bytes64("private/keys"), Type: "f", Mode: 0o644, Size: 0, Sum: emptySum},
		{Path: bytes64("sibling"), Type: "l", To: bytes64("/etc/passwd")},
		dirOf("made", 0o755),
	} {
		s, dir := newStageStore(t), t.TempDir()
		put(t, dir+"/private/keys", "mine")
		c := s.hold([]byte("result"))
		s.hold(nil)
		m := s.listOf(dir+"/result.txt", fileOf("", c), other)
		r := s.fetchAll(m, time.Now().Add(time.Hour), dir+"/result.txt")
		if !strings.Contains(r.Fault, "below a file") || read(t, dir+"/private/keys") != "mine" {
			t.Errorf("%s: %+v", other.Path, r)
		}
		for _, name := range []string{"sibling", "made"} {
			if _, err := os.Lstat(dir + "/" + name); err == nil {
				t.Errorf("%s was made", name)
			}
		}
	}
}

func TestATemporaryDirectoryOfSomebodyElseIsNotUsed(t *testing.T) {
	s, parent := newStageStore(t), t.TempDir()
	dir, other := parent+"/dir", parent+"/precious"
	put(t, other, "precious")
	if err := os.MkdirAll(dir+"/.spill-m-1", 0o777); err != nil {
		t.Fatal(err)
	}
	os.Chmod(dir+"/.spill-m-1", 0o777)
	if err := os.Link(other, dir+"/.spill-m-1/1"); err != nil {
		t.Fatal(err)
	}
	m := s.listOf(dir, dirOf("", 0o755), fileOf("out", s.hold([]byte("result"))))
	if r := s.fetchAll(m, time.Now(), dir); !strings.Contains(r.Fault, ".spill-m-1 is there and not of this user alone") {
		t.Errorf("%+v", r)
	}
	if read(t, other) != "precious" {
		t.Error("it was written through a second name")
	}
	// One of a try before is as it should be, and what lies in it is not written through either.
	os.Chmod(dir+"/.spill-m-1", 0o700)
	noFault(t, s.fetchAll(m, time.Now(), dir))
	if read(t, other) != "precious" || read(t, dir+"/out") != "result" {
		t.Error("it was written through a second name of a try before")
	}
}

func TestAManifestTakesNoMoreMemoryThanALine(t *testing.T) {
	s, dir := newStageStore(t), t.TempDir()
	head, _ := json.Marshal(manifestHead{1, []bytes64{bytes64(dir)}})
	text := append(head, []byte("\n{\"r\":0,\"junk\":\"")...)
	text = append(text, bytes.Repeat([]byte("A"), 64<<20)...)
	m := s.hold(append(text, []byte("\",\"t\":\"d\"}\n")...))
	list := newManifest(true)
	defer list.file.Close()
	list.file.WriteAt(s.blobs[m.Sha256], 0)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := list.each(1, func(*entry) error { return nil })
	runtime.ReadMemStats(&after)
	if err == nil || after.TotalAlloc-before.TotalAlloc > 4<<20 {
		t.Errorf("%v, %d bytes", err, after.TotalAlloc-before.TotalAlloc)
	}
	if r := s.fetchAll(&m, time.Now(), dir); !strings.Contains(r.Fault, "a line is longer than any") {
		t.Errorf("%+v", r)
	}
	long := blobBody{m.Sha256, maxManifest + 1}
	if r := s.fetchAll(&long, time.Now(), dir); !strings.Contains(r.Fault, "the manifest is longer than any") {
		t.Errorf("%+v", r)
	}
}

func TestWhatHasAPathTooLongForTheManifestIsTold(t *testing.T) {
	s, from := newStageStore(t), t.TempDir()
	at, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Chdir(at) })
	os.Chdir(from)
	for range maxPath/250 + 2 {
		name := strings.Repeat("d", 250)
		if os.Mkdir(name, 0o755) != nil || os.Chdir(name) != nil {
			t.Fatal("not made")
		}
	}
	os.Chdir(at)
	put(t, from+"/zz", "after it")
	r := noFault(t, s.sendAll(false, from))
	if r.Files != 1 || !strings.Contains(strings.Join(r.Told, "\n"), "its path is too long") {
		t.Errorf("%+v", r)
	}
}

func TestTheManifestIsAskedForAsOne(t *testing.T) {
	s, from := newStageStore(t), t.TempDir()
	put(t, from+"/a", "a")
	var lists, others int
	far, reports := s.stagerOn()
	send := far.send
	far.send = func(typ byte, body any) {
		if b, is := body.(blobsBody); is && b.List {
			lists++
		} else if is {
			others++
		}
		send(typ, body)
	}
	far.take(&stageBody{ID: "x", Way: wayIn, Paths: asBytes([]string{from}), Mark: "m-1"})
	noFault(t, s.report(reports))
	if lists != 1 || others != 1 {
		t.Errorf("%d, %d", lists, others)
	}
}

func TestWhatCameSinceTheJobBeganWithAnOldTimeIsNotOverwritten(t *testing.T) {
	s, dir := newStageStore(t), t.TempDir()
	began := tick()
	put(t, dir+"/a", "brought by cp -p")
	old := time.Now().Add(-24 * time.Hour)
	os.Chtimes(dir+"/a", old, old)
	m := s.listOf(dir, dirOf("", 0o755), fileOf("a", s.hold([]byte("result"))))
	r := noFault(t, s.fetchAll(m, began, dir))
	if read(t, dir+"/a") != "brought by cp -p" || read(t, dir+"/a.spill-7") != "result" || len(r.Told) != 1 {
		t.Errorf("%+v", r)
	}
	// What a pod has there came with its image, whenever that was unpacked.
	noFault(t, s.do(stageBody{ID: newNonce(), Way: wayOut, Paths: asBytes([]string{dir}), Manifest: m, JobID: 7, SinceMs: began.UnixMilli(), Strict: true}))
	if read(t, dir+"/a") != "result" {
		t.Error("what the image has stayed")
	}
}

func TestWhatIsPutBesideOverwritesNothing(t *testing.T) {
	s, dir := newStageStore(t), t.TempDir()
	began := tick()
	put(t, dir+"/a", "somebody's")
	put(t, dir+"/a.spill-7", "somebody's too")
	m := s.listOf(dir, dirOf("", 0o755), fileOf("a", s.hold([]byte("result"))))
	for range 2 { // the second finds what the first has brought
		r := noFault(t, s.fetchAll(m, began, dir))
		if read(t, dir+"/a") != "somebody's" || read(t, dir+"/a.spill-7") != "somebody's too" || read(t, dir+"/a.spill-7-2") != "result" {
			t.Errorf("%q", tree(t, dir))
		}
		if len(r.Told) != 1 || !strings.Contains(r.Told[0], "in a.spill-7-2 beside it") {
			t.Errorf("%q", r.Told)
		}
	}
	if names, _ := os.ReadDir(dir); len(names) != 3 {
		t.Errorf("%v", names)
	}
}

func TestANameThatIsTakenMeanwhileIsNotOverwritten(t *testing.T) {
	parent := t.TempDir()
	put(t, parent+"/from/1", "result")
	put(t, parent+"/to/a", "somebody's")
	from, _ := openFolder(parent + "/from")
	to, _ := openFolder(parent + "/to")
	defer from.Close()
	defer to.Close()
	if err := from.renameNew("1", to, "a"); !os.IsExist(err) || read(t, parent+"/to/a") != "somebody's" {
		t.Errorf("%v", err)
	}
	if err := from.renameNew("1", to, "b"); err != nil || read(t, parent+"/to/b") != "result" {
		t.Errorf("%v", err)
	}
}

func TestOnlyWhatATransportLeavesIsLeftOut(t *testing.T) {
	s, from := newStageStore(t), t.TempDir()
	put(t, from+"/.spill-results", "a file")
	put(t, from+"/.spill-dir/a", "of the user")
	put(t, from+"/.spill-m-2/1", "half of something")
	os.Chmod(from+"/.spill-m-2", 0o700)
	r := noFault(t, s.sendAll(true, from))
	if r.Files != 2 || len(r.Told) != 1 || !strings.Contains(r.Told[0], ".spill-m-2 was not carried") {
		t.Errorf("%+v", r)
	}
}

func TestDirectoriesOfATryThatFailedAreTheirOwnersToGoInto(t *testing.T) {
	s, dir := newStageStore(t), t.TempDir()
	s.hold([]byte("x"))
	missing := blobBody{strings.Repeat("ab", 32), 5}
	m := s.listOf(dir, dirOf("", 0o755), dirOf("sub", 0o755), fileOf("sub/b", missing))
	if r := s.fetchAll(m, time.Now(), dir); r.Fault == "" {
		t.Error("nothing failed")
	}
	info, err := os.Stat(filepath.Join(dir, "sub"))
	if err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("%v %v", info.Mode(), err)
	}
}
