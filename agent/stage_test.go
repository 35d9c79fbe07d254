package main

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// stageStore is an object store, and the gateway that signs for it.
type stageStore struct {
	t      *testing.T
	server *httptest.Server

	mu     sync.Mutex
	blobs  map[string][]byte
	urls   map[string]bool // good ones
	asked  int             // URLs
	puts   int
	ranges []string
	// fault is asked before each request is served; true: it has answered.
	fault  func(n int, w http.ResponseWriter, r *http.Request) bool
	n      int
	serial int
	refuse string
	// parts of contents that are not whole yet, by name and number.
	parts map[string]map[int64][]byte
	joins int
}

func newStageStore(t *testing.T) *stageStore {
	s := &stageStore{t: t, blobs: map[string][]byte{}, urls: map[string]bool{}, parts: map[string]map[int64][]byte{}}
	s.server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.server.Close)
	return s
}

func (s *stageStore) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	n, fault, good := s.n, s.fault, s.urls[r.URL.String()]
	s.n++
	key := filepath.Base(r.URL.Path)
	content, there := s.blobs[key]
	s.mu.Unlock()
	if fault != nil && fault(n, w, r) {
		return
	}
	if !good {
		w.WriteHeader(403)
		return
	}
	if r.Method == http.MethodPut {
		body, err := io.ReadAll(r.Body)
		sum := sha256.Sum256(body)
		if err != nil || base64.StdEncoding.EncodeToString(sum[:]) != r.Header.Get("X-Amz-Checksum-Sha256") || int64(len(body)) != r.ContentLength {
			w.WriteHeader(400)
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.puts++
		number, err := strconv.ParseInt(r.URL.Query().Get("part"), 10, 64)
		if err != nil {
			s.blobs[key] = body
			return
		}
		if s.parts[key] == nil {
			s.parts[key] = map[int64][]byte{}
		}
		s.parts[key][number] = body
		return
	}
	if !there {
		w.WriteHeader(404)
		return
	}
	if of := r.Header.Get("Range"); of != "" {
		var from int
		fmt.Sscanf(of, "bytes=%d-", &from)
		s.mu.Lock()
		s.ranges = append(s.ranges, of)
		s.mu.Unlock()
		w.Header().Set("Content-Length", fmt.Sprint(len(content)-from))
		w.WriteHeader(206)
		content = content[from:]
	} else {
		w.Header().Set("Content-Length", fmt.Sprint(len(content)))
	}
	w.Write(content)
}

func (s *stageStore) sign(method string, b askedBlob) signedBlob {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse != "" {
		return signedBlob{Sha256: b.Sha256, Refused: s.refuse}
	}
	if _, there := s.blobs[b.Sha256]; there && method == "put" {
		return signedBlob{Sha256: b.Sha256, There: true}
	}
	sum, size := b.Sha256, b.Size
	s.serial++
	url := fmt.Sprintf("/b/%s?%d", b.Sha256, s.serial)
	switch part := b.Part; {
	case b.Parts > 0:
		return s.join(method, b)
	case part != nil:
		have := s.parts[b.Sha256][part.Number]
		if hashed := sha256.Sum256(have); have != nil && hex.EncodeToString(hashed[:]) == part.Sha256 {
			return signedBlob{Sha256: b.Sha256, There: true}
		}
		sum, size = part.Sha256, part.Size
		url = fmt.Sprintf("/b/%s?%d&part=%d", b.Sha256, s.serial, part.Number)
	}
	s.asked++
	s.urls[url] = true
	signed := signedBlob{Sha256: b.Sha256, URL: s.server.URL + url}
	if method == "put" {
		raw, _ := hex.DecodeString(sum)
		signed.Headers = map[string]string{"content-length": fmt.Sprint(size), "x-amz-checksum-sha256": base64.StdEncoding.EncodeToString(raw)}
	}
	return signed
}

// join makes one content of its parts, once they are all there.
func (s *stageStore) join(method string, b askedBlob) signedBlob {
	var whole []byte
	for number := int64(1); number <= b.Parts; number++ {
		whole = append(whole, s.parts[b.Sha256][number]...)
	}
	sum := sha256.Sum256(whole)
	if method != "join" || hex.EncodeToString(sum[:]) != b.Sha256 {
		return signedBlob{Sha256: b.Sha256, InParts: true}
	}
	s.joins++
	s.blobs[b.Sha256] = whole
	delete(s.parts, b.Sha256)
	return signedBlob{Sha256: b.Sha256, There: true}
}

// stagerOn is a far end whose gateway answers at once, and where its reports go.
func (s *stageStore) stagerOn() (*stager, chan *stagedBody) {
	reports := make(chan *stagedBody, 16)
	var far *stager
	far = newStager(func(typ byte, body any) {
		switch b := body.(type) {
		case blobsBody:
			go func() {
				answer := &signedBody{ID: b.ID, N: b.N}
				for _, blob := range b.Blobs {
					answer.Blobs = append(answer.Blobs, s.sign(b.Method, blob))
				}
				far.signed(answer)
			}()
		case *stagedBody:
			reports <- b
		}
	})
	far.pause, far.patience, far.stall, far.repeat = time.Millisecond, 2*time.Second, 5*time.Second, 50*time.Millisecond
	s.t.Cleanup(far.stop)
	return far, reports
}

func (s *stageStore) do(order stageBody) *stagedBody {
	s.t.Helper()
	far, reports := s.stagerOn()
	if order.Mark == "" {
		order.Mark = "m-1"
	}
	far.take(&order)
	return s.report(reports)
}

func (s *stageStore) report(reports chan *stagedBody) *stagedBody {
	s.t.Helper()
	select {
	case r := <-reports:
		return r
	case <-time.After(20 * time.Second):
		s.t.Fatal("no STAGED")
		return nil
	}
}

func (s *stageStore) sendAll(strict bool, paths ...string) *stagedBody {
	return s.do(stageBody{ID: newNonce(), Way: wayIn, Paths: asBytes(paths), Strict: strict})
}

func (s *stageStore) fetchAll(m *blobBody, since time.Time, paths ...string) *stagedBody {
	return s.do(stageBody{ID: newNonce(), Way: wayOut, Paths: asBytes(paths), Manifest: m, JobID: 7, SinceMs: since.UnixMilli()})
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// tree is everything below a path: names, kinds, modes, contents.
func tree(t *testing.T, root string) []string {
	t.Helper()
	var all []string
	err := filepath.Walk(root, func(path string, info os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(root, path)
		line := fmt.Sprintf("%s %s", name, info.Mode())
		switch {
		case info.Mode().IsRegular():
			text, _ := os.ReadFile(path)
			sum := sha256.Sum256(text)
			line += fmt.Sprintf(" %x %d", sum[:4], info.ModTime().UnixNano())
		case info.Mode()&os.ModeSymlink != 0:
			to, _ := os.Readlink(path)
			line += " -> " + to
		case info.IsDir():
			line += fmt.Sprint(" ", info.ModTime().UnixNano())
		}
		all = append(all, line)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func noFault(t *testing.T, r *stagedBody) *stagedBody {
	t.Helper()
	if r.Fault != "" {
		t.Fatalf("fault: %s", r.Fault)
	}
	return r
}

func sample(t *testing.T) string {
	from := filepath.Join(t.TempDir(), "set")
	put(t, from+"/a.txt", "alpha")
	put(t, from+"/empty", "")
	put(t, from+"/sub/deep/b", strings.Repeat("b", 300_000))
	put(t, from+"/sub/run.sh", "#!/bin/sh\n")
	os.Chmod(from+"/sub/run.sh", 0o750)
	os.Symlink("../a.txt", from+"/sub/link")
	os.Symlink("/no/such/place", from+"/dangling")
	os.Mkdir(from+"/none", 0o700)
	put(t, from+"/odd \xff\nname", "odd")
	at := time.Unix(1_700_000_000, 123_456_789)
	for _, name := range []string{"a.txt", "sub/run.sh", "none", "sub/deep", "sub"} {
		os.Chtimes(filepath.Join(from, name), at, at)
	}
	return from
}

func TestATreeArrivesAsItWas(t *testing.T) {
	s, from := newStageStore(t), sample(t)
	sent := noFault(t, s.sendAll(true, from))
	to := filepath.Join(t.TempDir(), "deep", "set")
	got := noFault(t, s.fetchAll(sent.Manifest, time.Now(), to))
	if a, b := tree(t, from), tree(t, to); !slices.Equal(a[1:], b[1:]) {
		t.Fatalf("%q\n%q", a, b)
	}
	if sent.Files != 5 || got.Files != 5 || sent.Bytes != got.Bytes || len(sent.Told) != 0 {
		t.Errorf("%+v %+v", sent, got)
	}
	if names, _ := filepath.Glob(to + "/.spill-*"); len(names) > 0 {
		t.Errorf("left over: %v", names)
	}
	// What the store has is not sent again, and what is there already is not written again.
	puts := s.puts
	again := noFault(t, s.sendAll(true, from))
	if *again.Manifest != *sent.Manifest || s.puts != puts {
		t.Errorf("sent %d again", s.puts-puts)
	}
	before, _ := os.Stat(to + "/a.txt")
	noFault(t, s.fetchAll(sent.Manifest, time.Now(), to))
	after, _ := os.Stat(to + "/a.txt")
	if !os.SameFile(before, after) {
		t.Error("a file that had its content already was replaced")
	}
}

func TestASingleFileIsItsOwnRoot(t *testing.T) {
	s, dir := newStageStore(t), t.TempDir()
	put(t, dir+"/x.dat", "one file")
	os.Symlink("x.dat", dir+"/alias")
	sent := noFault(t, s.sendAll(true, dir+"/alias"))
	noFault(t, s.fetchAll(sent.Manifest, time.Now(), dir+"/to/y.dat"))
	if got := read(t, dir+"/to/y.dat"); got != "one file" {
		t.Fatal(got)
	}
}

func TestConnectionsThatBreakAreTakenUpWhereTheyWere(t *testing.T) {
	s, from := newStageStore(t), t.TempDir()
	put(t, from+"/big", strings.Repeat("0123456789abcdef", 1<<16))
	sent := noFault(t, s.sendAll(true, from+"/big"))
	s.mu.Lock()
	s.n = 0
	s.fault = func(n int, w http.ResponseWriter, r *http.Request) bool {
		s.mu.Lock()
		content := s.blobs[filepath.Base(r.URL.Path)]
		s.mu.Unlock()
		if len(content) < 1<<20 || n > 8 || r.Header.Get("Range") != "" && n > 4 {
			return false
		}
		from := 0
		fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from)
		w.Header().Set("Content-Length", fmt.Sprint(len(content)-from))
		if from > 0 {
			w.WriteHeader(206)
		}
		w.Write(content[from : from+100_000])
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	s.mu.Unlock()
	to := t.TempDir() + "/big"
	noFault(t, s.fetchAll(sent.Manifest, time.Now(), to))
	if read(t, to) != read(t, from+"/big") {
		t.Fatal("another content")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.ranges) == 0 || s.ranges[len(s.ranges)-1] == "bytes=0-" {
		t.Errorf("it did not go on where it was: %v", s.ranges)
	}
}

func TestAStoreThatFailsForAWhileIsAskedAgain(t *testing.T) {
	s, from := newStageStore(t), sample(t)
	s.fault = func(n int, w http.ResponseWriter, r *http.Request) bool {
		if n%3 == 2 {
			return false
		}
		if n%3 == 0 {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(503)
		return true
	}
	sent := noFault(t, s.sendAll(true, from))
	to := t.TempDir() + "/set"
	noFault(t, s.fetchAll(sent.Manifest, time.Now(), to))
	if a, b := tree(t, from), tree(t, to); !slices.Equal(a[1:], b[1:]) {
		t.Fatalf("%q\n%q", a, b)
	}
}

func TestAnExpiredURLIsAskedForAgain(t *testing.T) {
	s, from := newStageStore(t), t.TempDir()
	put(t, from+"/f", "content")
	expire := func(n int, w http.ResponseWriter, r *http.Request) bool {
		if n == 0 || n == 3 {
			s.mu.Lock()
			clear(s.urls)
			s.mu.Unlock()
			w.WriteHeader(403)
			return true
		}
		return false
	}
	s.fault = expire
	sent := noFault(t, s.sendAll(true, from))
	s.n = 0
	noFault(t, s.fetchAll(sent.Manifest, time.Now(), t.TempDir()+"/to"))
	if s.asked < 6 { // two contents each way, and one more each
		t.Errorf("asked for %d URLs only", s.asked)
	}
}

func TestAStoreThatRefusesEverythingIsNotAskedForEver(t *testing.T) {
	s, from := newStageStore(t), t.TempDir()
	put(t, from+"/f", "content")
	s.fault = func(_ int, w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(403); return true }
	if r := s.sendAll(true, from); !strings.Contains(r.Fault, "refuses fresh URLs") {
		t.Errorf("%+v", r)
	}
	s.refuse = "more than maxSize"
	if r := s.sendAll(true, from); !strings.Contains(r.Fault, "more than maxSize") {
		t.Errorf("%+v", r)
	}
}

func TestAStoreThatStaysAwayIsGivenUp(t *testing.T) {
	s, from := newStageStore(t), t.TempDir()
	put(t, from+"/f", "content")
	s.fault = func(int, http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) }
	far, reports := s.stagerOn()
	far.patience = 50 * time.Millisecond
	far.take(&stageBody{ID: "1", Way: wayIn, Paths: asBytes([]string{from}), Mark: "m"})
	r := s.report(reports)
	if !strings.Contains(r.Fault, "could not be reached") || strings.Contains(r.Fault, s.server.URL) {
		t.Errorf("%+v", r)
	}
}

func TestWrongBytesNeverTakeTheNameOfAFile(t *testing.T) {
	s, from := newStageStore(t), t.TempDir()
	put(t, from+"/f", "content")
	sent := noFault(t, s.sendAll(true, from))
	sum := sha256.Sum256([]byte("content"))
	key := hex.EncodeToString(sum[:])
	s.blobs[key] = []byte("CONTENT")
	to := t.TempDir() + "/to"
	if r := s.fetchAll(sent.Manifest, time.Now(), to); !strings.Contains(r.Fault, "f: other bytes came") {
		t.Errorf("%+v", r)
	}
	if left, _ := os.ReadDir(to); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	s.blobs[key] = []byte("content and more")
	if r := s.fetchAll(sent.Manifest, time.Now(), to); !strings.Contains(r.Fault, "other bytes came") {
		t.Errorf("%+v", r)
	}
	delete(s.blobs, key)
	if r := s.fetchAll(sent.Manifest, time.Now(), to); !strings.Contains(r.Fault, "has it no more") {
		t.Errorf("%+v", r)
	}
	// Once it is right it comes, over what was left before.
	s.blobs[key] = []byte("content")
	noFault(t, s.fetchAll(sent.Manifest, time.Now(), to))
}

func TestWhatIsNewerThanTheJobIsNotOverwritten(t *testing.T) {
	s, from, to := newStageStore(t), t.TempDir(), t.TempDir()
	put(t, from+"/old", "result")
	put(t, from+"/new", "result")
	os.Symlink("result", from+"/link")
	put(t, to+"/old", "input")
	os.Chtimes(to+"/old", time.Now().Add(-time.Hour), time.Now().Add(-time.Hour))
	began := tick()
	put(t, to+"/new", "somebody's")
	os.Mkdir(to+"/link", 0o755)
	sent := noFault(t, s.sendAll(false, from))
	r := noFault(t, s.fetchAll(sent.Manifest, began, to))
	for name, want := range map[string]string{"old": "result", "new": "somebody's", "new.spill-7": "result"} {
		if got := read(t, filepath.Join(to, name)); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
	if to, _ := os.Readlink(to + "/link.spill-7"); to != "result" {
		t.Error("the symlink is not beside the directory")
	}
	if len(r.Told) != 2 || !strings.Contains(strings.Join(r.Told, "\n"), "/new is newer than the job: what the job has made is in new.spill-7") {
		t.Errorf("%q", r.Told)
	}
}

// tick is a time between what was written before it and what is written after, on a file system's clock.
func tick() time.Time {
	time.Sleep(25 * time.Millisecond)
	defer time.Sleep(25 * time.Millisecond)
	return time.Now()
}

func TestNoSymlinkBelowThePathIsFollowed(t *testing.T) {
	s, from, to, other := newStageStore(t), t.TempDir(), t.TempDir(), t.TempDir()
	put(t, from+"/sub/f", "result")
	put(t, from+"/g", "result")
	put(t, other+"/g", "another's")
	old := time.Now().Add(-time.Hour)
	os.Chtimes(other+"/g", old, old)
	sent := noFault(t, s.sendAll(false, from))
	os.Symlink(other, to+"/sub")
	if r := s.fetchAll(sent.Manifest, time.Now().Add(time.Hour), to); !strings.Contains(r.Fault, "/sub: is there and is no directory") {
		t.Errorf("%+v", r)
	}
	os.Remove(to + "/sub")
	os.Symlink(other+"/g", to+"/g")
	noFault(t, s.fetchAll(sent.Manifest, time.Now().Add(time.Hour), to))
	if read(t, other+"/g") != "another's" || read(t, to+"/g") != "result" {
		t.Error("it was written through a symlink")
	}
	// Sending neither: what a symlink leads to is not a part of the tree.
	put(t, other+"/secret", "secret")
	os.Symlink(other, from+"/way")
	sent = noFault(t, s.sendAll(false, from))
	sum := sha256.Sum256([]byte("secret"))
	if _, there := s.blobs[hex.EncodeToString(sum[:])]; there {
		t.Error("what lies behind a symlink was sent")
	}
}

func TestAManifestThatLeadsElsewhereIsRefused(t *testing.T) {
	for _, line := range []string{
		`{"r":0,"p":"Li4veA==","t":"l","l":"eA=="}`,           // ../x
		`{"r":0,"p":"L2V0Yy94","t":"l","l":"eA=="}`,           // /etc/x
		`{"r":0,"p":"YS8uLi8uLi94","t":"l","l":"eA=="}`,       // a/../../x
		`{"r":1,"p":"eA==","t":"d"}`,                          // another path
		`{"r":0,"p":"eA==","t":"f","s":1,"h":"00"}`,           // no hash
		`{"r":0,"p":"eA==","t":"p"}`,                          // a pipe
		`{"r":0,"p":"","t":"f","s":0,"h":"` + emptySum + `"}`, // both
		`{"r":-1,"p":"eA==","t":"d"}`,
		`nonsense`,
	} {
		s, parent := newStageStore(t), t.TempDir()
		to := parent + "/to"
		text := []byte(`{"v":1,"paths":["L3g="]}` + "\n" + `{"r":0,"p":"","t":"d","m":493}` + "\n" + line + "\n")
		sum := sha256.Sum256(text)
		key := hex.EncodeToString(sum[:])
		s.blobs[key] = text
		s.blobs[emptySum] = nil
		if r := s.fetchAll(&blobBody{key, int64(len(text))}, time.Now(), to); r.Fault == "" {
			t.Errorf("%s was obeyed", line)
		}
		if entries, _ := os.ReadDir(parent); len(entries) != 1 {
			t.Errorf("%s: %v", line, entries)
		}
	}
}

const emptySum = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

func TestSocketsAndPipesAreToldAndLeftOut(t *testing.T) {
	s, from := newStageStore(t), t.TempDir()
	put(t, from+"/f", "content")
	syscall.Mkfifo(from+"/pipe", 0o600)
	sent := noFault(t, s.sendAll(true, from))
	if len(sent.Told) != 1 || !strings.Contains(sent.Told[0], "/pipe is no file, directory or symlink") || sent.Files != 1 {
		t.Errorf("%+v", sent)
	}
}

func TestWhatCannotBeReadFailsAStageInAndIsToldOfResults(t *testing.T) {
	s, from := newStageStore(t), t.TempDir()
	put(t, from+"/f", "content")
	missing := from + "/missing"
	if r := s.sendAll(true, from, missing); !strings.Contains(r.Fault, "missing: no such file") {
		t.Errorf("%+v", r)
	}
	r := noFault(t, s.sendAll(false, from, missing))
	if r.Files != 1 || len(r.Told) != 1 || !strings.Contains(r.Told[0], "missing was not carried: no such file") {
		t.Errorf("%+v", r)
	}
	to := t.TempDir()
	noFault(t, s.fetchAll(r.Manifest, time.Now(), to+"/a", to+"/b"))
	if read(t, to+"/a/f") != "content" {
		t.Error("the rest did not come")
	}
}

func TestAFileThatChangesWhileItIsRead(t *testing.T) {
	s, from := newStageStore(t), t.TempDir()
	path := from + "/log"
	put(t, path, "first")
	// It is another one by the time the store has its bytes: it is read again.
	changed := false
	s.fault = func(_ int, w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPut && !changed {
			changed = true
			io.ReadAll(r.Body)
			os.WriteFile(path, []byte("again"), 0o644)
			w.WriteHeader(400)
			return true
		}
		return false
	}
	sent := noFault(t, s.sendAll(true, path))
	to := t.TempDir() + "/log"
	noFault(t, s.fetchAll(sent.Manifest, time.Now(), to))
	if got := read(t, to); got != "again" {
		t.Error(got)
	}
	// One that never rests fails with its name.
	n := 0
	put(t, path, "start")
	s.fault = func(_ int, w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPut {
			n++
			io.ReadAll(r.Body)
			os.WriteFile(path, fmt.Appendf(nil, "turn%d", n), 0o644)
			w.WriteHeader(400)
			return true
		}
		return false
	}
	if r := s.sendAll(true, path); !strings.Contains(r.Fault, "/log: it changes while it is read") {
		t.Errorf("%+v", r)
	}
}

func TestAnOrderThatIsSaidAgainIsDoneOnce(t *testing.T) {
	s, from := newStageStore(t), t.TempDir()
	put(t, from+"/f", "content")
	far, reports := s.stagerOn()
	order := &stageBody{ID: "1", Way: wayIn, Paths: asBytes([]string{from}), Mark: "m"}
	far.take(order)
	one := s.report(reports)
	far.take(order)
	if two := s.report(reports); two != one {
		t.Error("it was done twice")
	}
	if s.puts != 2 {
		t.Errorf("%d contents were sent", s.puts)
	}
}

func TestAGatewayThatDoesNotAnswerIsAskedAgain(t *testing.T) {
	s, from := newStageStore(t), t.TempDir()
	put(t, from+"/f", "content")
	var mu sync.Mutex
	var far *stager
	reports, seen := make(chan *stagedBody, 4), map[int64]int{}
	far = newStager(func(typ byte, body any) {
		switch b := body.(type) {
		case blobsBody:
			mu.Lock()
			seen[b.N]++
			heard := seen[b.N] == 2
			mu.Unlock()
			if heard {
				go far.signed(&signedBody{ID: b.ID, N: b.N, Blobs: []signedBlob{s.sign(b.Method, b.Blobs[0])}})
			}
		case *stagedBody:
			reports <- b
		}
	})
	far.repeat = 5 * time.Millisecond
	far.take(&stageBody{ID: "1", Way: wayIn, Paths: asBytes([]string{from}), Mark: "m"})
	noFault(t, s.report(reports))
}

func TestALaterOrderEndsTheOneBefore(t *testing.T) {
	s, from := newStageStore(t), t.TempDir()
	put(t, from+"/f", "content")
	s.fault = func(int, http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) }
	far, reports := s.stagerOn()
	var said []string
	far.say = func(line string) { said = append(said, line) }
	ended := make(chan bool, 1)
	far.ended = func() { ended <- true }
	far.take(&stageBody{ID: "1", Way: wayIn, Paths: asBytes([]string{from}), Mark: "m"})
	far.take(&stageBody{ID: "2", Way: wayNone, Mark: "m", Say: []string{"your data stay there"}})
	if r := s.report(reports); r.ID != "2" || r.Fault != "" {
		t.Errorf("%+v", r)
	}
	<-ended
	if len(said) != 1 || said[0] != "your data stay there" {
		t.Errorf("%q", said)
	}
}

// tiny is a file system of so much, with that much written into it.
func tiny(t *testing.T, at string, size, used int) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: a small file system is mounted")
	}
	if err := syscall.Mount("tmpfs", at, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		t.Skip("no file system can be mounted here: ", err)
	}
	t.Cleanup(func() { syscall.Unmount(at, 0) })
	if err := os.WriteFile(at+"/used", make([]byte, used), 0o600); err != nil {
		t.Fatal(err)
	}
}

// crowded has so many files that their list needs more than memory holds at first.
func crowded(t *testing.T) string {
	t.Helper()
	from := t.TempDir() + "/set"
	for i := range 300 {
		put(t, fmt.Sprintf("%s/%d/%s", from, i%10, strings.Repeat("n", 250-i%50)+fmt.Sprint(i)), "one content")
	}
	for i := range 60 {
		os.Symlink(strings.Repeat("x/", 2000)+"y", fmt.Sprintf("%s/link-%d", from, i))
		os.Symlink(strings.Repeat("z/", 2000)+"y", fmt.Sprintf("%s/other-%d", from, i))
		os.Symlink(strings.Repeat("y/", 2000)+"y", fmt.Sprintf("%s/third-%d", from, i))
	}
	return from
}

func TestAFullTmpIsNamedAndLosesNothing(t *testing.T) {
	tmp, from := t.TempDir(), crowded(t)
	tiny(t, tmp, 1<<20, 1<<20-8<<10)
	t.Setenv("TMPDIR", tmp)
	s := newStageStore(t)
	// In a pod the list is in the job's memory then: all comes.
	sent := noFault(t, s.sendAll(false, from))
	if sent.Manifest.Size <= memoryFirst {
		t.Fatalf("a list of %d bytes shows nothing", sent.Manifest.Size)
	}
	noFault(t, s.fetchAll(sent.Manifest, time.Now(), t.TempDir()+"/in-a-pod"))
	// On the burst host it is not, for that is everybody's: told, and nothing of it written.
	far, reports := s.stagerOn()
	far.sync = true
	to := t.TempDir() + "/home"
	order := stageBody{ID: "1", Way: wayOut, Paths: asBytes([]string{to}), Manifest: sent.Manifest, Mark: "m", SinceMs: time.Now().UnixMilli()}
	far.take(&order)
	if r := s.report(reports); !strings.Contains(r.Fault, "the list of its files finds no room in "+tmp+": no space left on device") {
		t.Errorf("%+v", r)
	}
	// Once there is room, the same comes whole.
	if err := syscall.Unmount(tmp, 0); err != nil {
		t.Fatal(err)
	}
	again := order
	again.ID = "2"
	far.take(&again)
	noFault(t, s.report(reports))
	if a, b := tree(t, from), tree(t, to); !slices.Equal(a[1:], b[1:]) {
		t.Error("it is not the same")
	}
}

func TestAListKeepsItsBytesWhateverItIsKeptIn(t *testing.T) {
	tmp := t.TempDir()
	tiny(t, tmp, 3<<20, 0)
	t.Setenv("TMPDIR", tmp)
	s := &draft{stays: true}
	defer s.Close()
	line := []byte(strings.Repeat("0123456789abcde\n", 1000))
	for i := range 400 { // memory, a file, and memory again
		if _, err := s.WriteAt(line, int64(i*len(line))); err != nil {
			t.Fatal(err)
		}
	}
	if s.file != nil || !s.full {
		t.Fatal("it was never full")
	}
	text, _ := io.ReadAll(io.NewSectionReader(s, 0, 1<<30))
	if string(text) != strings.Repeat(string(line), 400) {
		t.Error("other bytes")
	}
}

func TestADiskThatIsFullIsNamed(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: a small file system is mounted")
	}
	s, from, to := newStageStore(t), t.TempDir(), t.TempDir()
	put(t, from+"/f", strings.Repeat("x", 4<<20))
	sent := noFault(t, s.sendAll(true, from))
	if err := syscall.Mount("tmpfs", to, "tmpfs", 0, "size=1m"); err != nil {
		t.Skip("no file system can be mounted here: ", err)
	}
	defer syscall.Unmount(to, 0)
	if r := s.fetchAll(sent.Manifest, time.Now(), to); !strings.Contains(r.Fault, "/f: no space left on device") {
		t.Errorf("%+v", r)
	}
	if left, _ := os.ReadDir(to); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}
