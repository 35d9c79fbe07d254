package main

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// inParts is an order to send with parts of a MiB.
func (s *stageStore) inParts(path string) stageBody {
	return stageBody{ID: newNonce(), Way: wayIn, Paths: asBytes([]string{path}), Strict: true, Mark: "m", PartBytes: 1 << 20}
}

// large is a file of several parts whose last one is odd, and its hash.
func large(t *testing.T, path string, size int) string {
	t.Helper()
	text := make([]byte, size)
	random := rand.NewChaCha8([32]byte{1})
	random.Read(text)
	put(t, path, string(text))
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

func TestALargeFileGoesInPartsAndComesWhole(t *testing.T) {
	s, from := newStageStore(t), t.TempDir()
	sum := large(t, from+"/large", 5<<20+17)
	put(t, from+"/small", strings.Repeat("s", 1<<20)) // just one
	sent := noFault(t, s.do(s.inParts(from)))
	if s.puts != 6+1+1 || s.joins != 1 || len(s.blobs[sum]) != 5<<20+17 {
		t.Fatalf("%d puts, %d joined", s.puts, s.joins)
	}
	to := t.TempDir() + "/to"
	noFault(t, s.fetchAll(sent.Manifest, time.Now(), to))
	if read(t, to+"/large") != read(t, from+"/large") {
		t.Error("another content")
	}
	// What is there is not sent again.
	puts := s.puts
	if noFault(t, s.do(s.inParts(from))); s.puts != puts {
		t.Errorf("%d sent again", s.puts-puts)
	}
}

func TestPartsThatAreThereAreNotSentAgain(t *testing.T) {
	s, from := newStageStore(t), t.TempDir()
	large(t, from+"/large", 8<<20)
	s.fault = func(n int, w http.ResponseWriter, r *http.Request) bool {
		if n < 5 {
			return false
		}
		panic(http.ErrAbortHandler)
	}
	far, reports := s.stagerOn()
	far.patience = 50 * time.Millisecond
	order := s.inParts(from)
	far.take(&order)
	if r := s.report(reports); !strings.Contains(r.Fault, "could not be reached") {
		t.Fatalf("%+v", r)
	}
	came := s.puts
	if came == 0 || s.joins > 0 {
		t.Fatalf("%d came, %d joined", came, s.joins)
	}
	s.mu.Lock()
	s.fault = nil
	s.mu.Unlock()
	noFault(t, s.do(s.inParts(from)))
	if s.puts != 8+1 || s.joins != 1 {
		t.Errorf("%d puts where %d of 8 parts were there; %d joined", s.puts, came, s.joins)
	}
}

func TestPartsOfAFileThatChangesNeverMakeOne(t *testing.T) {
	s, from := newStageStore(t), t.TempDir()
	path := from + "/large"
	// The last part is not asked for before the first is there.
	sum := large(t, path, 8<<20)
	changed := false
	s.fault = func(int, http.ResponseWriter, *http.Request) bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		if !changed {
			changed = true
			file, _ := os.OpenFile(path, os.O_WRONLY, 0)
			file.WriteAt([]byte("other"), 7<<20)
			file.Close()
		}
		return false
	}
	sent := noFault(t, s.do(s.inParts(path)))
	if _, there := s.blobs[sum]; there {
		t.Error("what was not whole has a name")
	}
	to := t.TempDir() + "/to"
	noFault(t, s.fetchAll(sent.Manifest, time.Now(), to))
	if read(t, to) != read(t, path) {
		t.Error("another content")
	}
}

func TestAnUploadThatIsGivenUpMeanwhileIsBegunAnew(t *testing.T) {
	s, from := newStageStore(t), t.TempDir()
	sum := large(t, from+"/large", 3<<20)
	s.fault = func(n int, w http.ResponseWriter, _ *http.Request) bool {
		if n != 1 {
			return false
		}
		s.mu.Lock()
		delete(s.parts, sum)
		s.mu.Unlock()
		w.WriteHeader(404)
		return true
	}
	noFault(t, s.do(s.inParts(from)))
	if len(s.blobs[sum]) != 3<<20 {
		t.Error("it is not there")
	}
}

func TestAStoreThatLosesPartsIsNotAskedForEver(t *testing.T) {
	s, from := newStageStore(t), t.TempDir()
	large(t, from+"/large", 2<<20)
	s.fault = func(_ int, _ http.ResponseWriter, r *http.Request) bool {
		io.ReadAll(r.Body)
		return r.URL.Query().Has("part") // all is well, it says
	}
	if r := s.do(s.inParts(from)); !strings.Contains(r.Fault, "does not keep the parts") {
		t.Errorf("%+v", r)
	}
}

func TestPartsAreNoMoreThanAStoreTakes(t *testing.T) {
	if p := newParts(100<<30, 1<<20); p.size != (100<<30+mostParts-1)/mostParts {
		t.Errorf("parts of %d bytes", p.size)
	}
	if newParts(1<<20, 1<<20) != nil || newParts(6<<30, 0) != nil {
		t.Error("in parts for no reason")
	}
}
