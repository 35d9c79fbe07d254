package main

import (
	"os"
	"runtime"
	"slices"
	"syscall"
	"time"
)

// witnessName is a process that the stand-in keeps beside itself, and that does nothing. `scancel --batch` signals the process of the
// script alone, which the stand-in is; `scancel --full` all of the batch step. On the burst host only a second process of the step can
// tell the two apart: it says what it was sent.
const witnessName = "spill-witness"

// witnessPatience is how long a signal waits to be found to be for all. Slurm signals the processes of a step one after the other, so
// between the two lies what a busy machine takes.
const witnessPatience = 300 * time.Millisecond

// startWitness gives what the witness was sent, once it can be asked; closed, or nil, where there is none. It ends with this process.
func startWitness() <-chan word {
	alive, hold, err := os.Pipe()
	if err != nil {
		return nil
	}
	defer alive.Close()
	said, say, err := os.Pipe()
	if err != nil {
		return nil
	}
	defer say.Close()
	nowhere, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0) // not the job's output: who reads that waits for its end
	if err != nil {
		return nil
	}
	defer nowhere.Close()
	// In this process's group and of its container, which is the point.
	pid, err := syscall.ForkExec("/proc/self/exe", []string{witnessName}, &syscall.ProcAttr{
		Env: []string{}, Files: []uintptr{alive.Fd(), say.Fd(), nowhere.Fd()},
	})
	if err != nil {
		return nil
	}
	words := make(chan word, 256)
	go func() {
		defer close(words)
		defer hold.Close()
		buffer := make([]byte, 64)
		for {
			n, err := said.Read(buffer)
			for _, signo := range buffer[:n] {
				words <- word{int(signo), time.Now()}
			}
			if err != nil {
				var status syscall.WaitStatus
				syscall.Wait4(pid, &status, 0, nil)
				return
			}
		}
	}()
	if (<-words).signo != witnessReady {
		return nil
	}
	return words
}

const witnessReady = 255

// witnessMain writes a byte a signal until its stdin ends.
func witnessMain() int {
	runtime.GOMAXPROCS(1)
	arrived := catchSignals()
	os.Stdout.Write([]byte{witnessReady})
	go func() {
		for s := range arrived {
			os.Stdout.Write([]byte{byte(s.(syscall.Signal))})
		}
	}()
	os.Stdin.Read(make([]byte, 1))
	return 0
}

// word is a signal that the witness was sent.
type word struct {
	signo int
	at    time.Time
}

// askWitness passes signals on in their order; one for the script that the witness was sent too is for everything in the step.
func askWitness(own <-chan signalBody, words <-chan word, patience time.Duration, got func(signo int, scope string)) {
	var early []word
	sentToo := func(signo int) bool {
		early = slices.DeleteFunc(early, func(w word) bool { return time.Since(w.at) > contThenTerm })
		if i := slices.IndexFunc(early, func(w word) bool { return w.signo == signo }); i >= 0 {
			early = slices.Delete(early, i, i+1)
			return true
		}
		over := time.After(patience)
		for words != nil {
			select {
			case heard, there := <-words:
				switch {
				case !there:
					words = nil
				case time.Since(heard.at) > contThenTerm:
				case heard.signo == signo:
					return true
				default:
					early = append(early, heard)
				}
			case <-over:
				return false
			}
		}
		return false
	}
	for s := range own {
		if s.Scope == scopeScript && sentToo(s.Signo) {
			s.Scope = scopeFull
		}
		got(s.Signo, s.Scope)
	}
}
