package main

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"sync"
	"syscall"
	"testing"
)

func testSpool(t *testing.T, size int64) (*spool, *os.File) {
	t.Helper()
	s, err := newSpool(chOut, t.TempDir()+"/ring", size, func() {})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.file.Close() })
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { s.drain(reader); close(done) }()
	t.Cleanup(func() {
		writer.Close()
		end, _ := s.state()
		s.acknowledge(end)
		for !isDone(done) { // a full ring holds what is still in the pipe
			end, _ := s.state()
			s.acknowledge(end)
		}
	})
	return s, writer
}

// next as a connection's writer would call it, waiting for something to come.
func nextOf(t *testing.T, s *spool, l *link) dataBody {
	t.Helper()
	buf := make([]byte, dataHeader+chunk)
	for {
		n, err := s.next(l, buf)
		if err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			d, err := parseData(buf[5:n])
			if err != nil {
				t.Fatal(err)
			}
			return d
		}
	}
}

func TestARingOfAnySizeGivesWhatWentIn(t *testing.T) {
	const total = 3 << 20
	sent := make([]byte, total)
	random := rand.New(rand.NewPCG(3, 3))
	for i := range sent {
		sent[i] = byte(random.Uint32())
	}
	s, writer := testSpool(t, 100_003) // odd, so that pieces break at its end
	go func() { writer.Write(sent); writer.Close() }()
	holder := new(link)
	if err := s.resumeAt(holder, 0); err != nil {
		t.Fatal(err)
	}
	var got []byte
	for len(got) < total {
		d := nextOf(t, s, holder)
		if d.Offset != int64(len(got)) {
			t.Fatalf("offset %d after %d bytes", d.Offset, len(got))
		}
		got = append(got, d.Data...)
		if err := s.acknowledge(int64(len(got)) - int64(random.IntN(len(d.Data)))); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(got, sent) {
		t.Fatal("not what went in")
	}
}

func TestAFullRingHoldsTheWriterBack(t *testing.T) {
	const size = 256 << 10
	s, writer := testSpool(t, size)
	var mu sync.Mutex
	written := 0
	go func() {
		for {
			n, err := writer.Write(make([]byte, 4096))
			if err != nil {
				return
			}
			mu.Lock()
			written += n
			mu.Unlock()
		}
	}()
	await(t, "a full ring", func() bool { end, _ := s.state(); return end == size })
	// The pipe fills up as well, and then the writer stands.
	held := -1
	await(t, "a writer that stands", func() bool {
		mu.Lock()
		defer mu.Unlock()
		same := held == written
		held = written
		return same && written >= size
	})
	if end, _ := s.state(); end != size {
		t.Fatalf("%d bytes in a ring of %d", end, size)
	}
	if err := s.acknowledge(size / 4); err != nil {
		t.Fatal(err)
	}
	await(t, "the writer to go on", func() bool { end, _ := s.state(); return end == size+size/4 })
}

func TestUnacknowledgedBytesOnTheWireAreBounded(t *testing.T) {
	s, writer := testSpool(t, 8<<20)
	go writer.Write(make([]byte, 4<<20))
	await(t, "4 MiB in the ring", func() bool { end, _ := s.state(); return end == 4<<20 })
	holder := new(link)
	s.resumeAt(holder, 0)
	buf := make([]byte, dataHeader+chunk)
	sent := 0
	for {
		n, err := s.next(holder, buf)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			break
		}
		sent += n - dataHeader
	}
	if sent != window {
		t.Fatalf("%d bytes on the wire", sent)
	}
	s.acknowledge(chunk)
	if n, _ := s.next(holder, buf); n == 0 {
		t.Fatal("an acknowledgement makes no room")
	}
}

func TestResumeRepeatsWhatWasNotAcknowledgedAndRefusesAGap(t *testing.T) {
	s, writer := testSpool(t, 1<<20)
	writer.Write([]byte("0123456789"))
	await(t, "ten bytes", func() bool { end, _ := s.state(); return end == 10 })
	old, fresh := new(link), new(link)
	s.resumeAt(old, 0)
	if d := nextOf(t, s, old); string(d.Data) != "0123456789" {
		t.Fatalf("%q", d.Data)
	}
	s.acknowledge(4)
	if err := s.resumeAt(fresh, 6); err != nil {
		t.Fatal(err)
	}
	if n, _ := s.next(old, make([]byte, dataHeader+chunk)); n != 0 {
		t.Error("the connection before is still served")
	}
	if d := nextOf(t, s, fresh); string(d.Data) != "6789" || d.Offset != 6 {
		t.Errorf("%q at %d", d.Data, d.Offset)
	}
	if err := s.resumeAt(fresh, 3); !errors.Is(err, errGap) {
		t.Errorf("what was acknowledged is gone: %v", err)
	}
	if err := s.resumeAt(fresh, 11); !errors.Is(err, errBeyond) {
		t.Errorf("beyond the end: %v", err)
	}
	if err := s.acknowledge(11); !errors.Is(err, errBeyond) {
		t.Errorf("acknowledged beyond the end: %v", err)
	}
}

func TestDiskIsGivenBackAsItIsAcknowledged(t *testing.T) {
	s, writer := testSpool(t, 16<<20)
	go writer.Write(make([]byte, 8<<20))
	await(t, "8 MiB", func() bool { end, _ := s.state(); return end == 8<<20 })
	s.file.Sync()
	before := blocks(t, s.file)
	s.acknowledge(8 << 20)
	if after := blocks(t, s.file); after >= before/8 {
		t.Skipf("%d blocks of %d left: this file system punches no holes", after, before)
	}
}

func blocks(t *testing.T, f *os.File) int64 {
	var st syscall.Stat_t
	if err := syscall.Fstat(int(f.Fd()), &st); err != nil {
		t.Fatal(err)
	}
	return st.Blocks
}
