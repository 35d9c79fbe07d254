package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// pieces is what a test job writes: to stdout and stderr in turns, of many sizes, the same for the same total.
func pieces(total int, write func(fd int, p []byte)) {
	random := rand.New(rand.NewPCG(1, uint64(total)))
	block := make([]byte, 200_000)
	for i := range block {
		block[i] = byte(random.Uint32())
	}
	for fd := 1; total > 0; fd = 3 - fd {
		n := min(1+random.IntN(len(block)/2), total)
		from := random.IntN(len(block) - n)
		write(fd, block[from:from+n])
		total -= n
	}
}

// testWriter is the job's program: TOTAL [COUNTER], where it tells after each write how much of it had returned.
func testWriter() int {
	total, _ := strconv.Atoi(os.Args[1])
	var counter *os.File
	if len(os.Args) > 2 {
		counter, _ = os.Create(os.Args[2])
	}
	var written [3]int64
	pieces(total, func(fd int, p []byte) {
		for len(p) > 0 {
			n, err := syscall.Write(fd, p)
			if err != nil {
				os.Exit(1)
			}
			p = p[n:]
			written[fd] += int64(n)
			if counter != nil {
				counter.WriteAt(fmt.Appendf(nil, "%20d %20d", written[1], written[2]), 0)
			}
		}
	})
	return 0
}

func writerScript(t testing.TB, args ...string) string {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("#!/bin/sh\nexec env SPILL_TEST_PROGRAM=writer %s %s\n", exe, strings.Join(args, " "))
}

// expected gives size and sum of what the writer says on both outputs, or on the joined one.
func expected(total int, join bool) (sums [3]string) {
	hashes := [3]io.Writer{nil, sha256.New(), sha256.New()}
	var sizes [3]int
	pieces(total, func(fd int, p []byte) {
		if join {
			fd = 1
		}
		hashes[fd].Write(p)
		sizes[fd] += len(p)
	})
	for fd := 1; fd <= 2; fd++ {
		sums[fd] = fmt.Sprintf("%d %x", sizes[fd], hashes[fd].(interface{ Sum([]byte) []byte }).Sum(nil))
	}
	return sums
}

func sumOfFile(t testing.TB, path string) string {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	h := sha256.New()
	n, err := io.Copy(h, file)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d %s", n, hex.EncodeToString(h.Sum(nil)))
}
