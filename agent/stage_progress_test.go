package main

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// toldBy has what a far end says of how far it came, in order.
func (s *stageStore) toldBy() (far *stager, reports chan *stagedBody, told func() []int64) {
	var mu sync.Mutex
	var said []int64
	far, reports = s.stagerOn()
	send := far.send
	far.tell = 2 * time.Millisecond
	far.send = func(typ byte, body any) {
		if c, is := body.(*carriedBody); is {
			mu.Lock()
			said = append(said, c.Bytes)
			mu.Unlock()
			return
		}
		send(typ, body)
	}
	return far, reports, func() []int64 { mu.Lock(); defer mu.Unlock(); return append([]int64{}, said...) }
}

func TestASlowTransferIsToldByItsBytes(t *testing.T) {
	s, from := newStageStore(t), t.TempDir()
	put(t, from+"/f", strings.Repeat("0123456789abcdef", 1<<14))
	sent := noFault(t, s.sendAll(true, from+"/f"))
	s.mu.Lock()
	s.fault = func(_ int, w http.ResponseWriter, r *http.Request) bool {
		s.mu.Lock()
		content := s.blobs[filepath.Base(r.URL.Path)]
		s.mu.Unlock()
		if len(content) < 1<<18 {
			return false
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(content)))
		for at := 0; at < len(content); at += 1 << 15 {
			w.Write(content[at : at+1<<15])
			w.(http.Flusher).Flush()
			time.Sleep(10 * time.Millisecond)
		}
		return true
	}
	s.mu.Unlock()
	far, reports, told := s.toldBy()
	far.take(&stageBody{ID: "1", Way: wayOut, Paths: asBytes([]string{t.TempDir() + "/f"}), Manifest: sent.Manifest, Mark: "m", SinceMs: time.Now().UnixMilli()})
	noFault(t, s.report(reports))
	all := told()
	if len(all) < 3 {
		t.Fatalf("told %v", all)
	}
	for i := 1; i < len(all); i++ {
		if all[i] <= all[i-1] {
			t.Fatalf("told %v", all)
		}
	}
}

func TestWhatBeginsAnewForEverMakesNoProgress(t *testing.T) {
	s, from := newStageStore(t), t.TempDir()
	const size = 4 << 20
	put(t, from+"/f", strings.Repeat("x", size))
	s.fault = func(_ int, w http.ResponseWriter, r *http.Request) bool {
		r.Body.Read(make([]byte, 64<<10))
		panic(http.ErrAbortHandler)
	}
	far, reports, told := s.toldBy()
	far.patience = 200 * time.Millisecond
	far.take(&stageBody{ID: "1", Way: wayIn, Paths: asBytes([]string{from + "/f"}), Strict: true, Mark: "m"})
	if r := s.report(reports); !strings.Contains(r.Fault, "could not be reached") {
		t.Fatalf("%+v", r)
	}
	// It was read once, and went out once at most.
	if all := told(); len(all) > 0 && all[len(all)-1] > 2*size {
		t.Errorf("told %v of %d bytes", all, size)
	}
}
