package main

import (
	"reflect"
	"unicode/utf8"
)

// Frames between the pods of one job, section 11. They exist on no other connection.
const (
	tStepHello = 80
	tStepAsk   = 81 // caller → rank 0: CPUs for a step
	tStepGo    = 82
	tStepBusy  = 83
	tRun       = 84 // caller → node: one process
	tRunning   = 85
	tBytes     = 86 // u8 channel · bytes; none = the channel's end
	tTook      = 87
	tKill      = 88
	tEnded     = 89 // node → caller, after the outputs' ends
	tStepCall  = 90 // caller → rank 0, after the environment: a program of Slurm's, run by the stand-in
)

const stepVersion = 1

// Channels of a process.
const (
	stIn      = 0
	stOut     = 1
	stErr     = 2
	stPMI     = 3
	stEnviron = 4 // NUL-separated, before RUN
	channels  = 5

	stepWindow = 256 << 10 // unacknowledged bytes a channel
	stepChunk  = 32 << 10
	// maxEnviron is more than Linux lets a process have.
	maxEnviron = 8 << 20
)

type stepHello struct {
	V     []int  `json:"v"`
	Role  string `json:"role"`
	Nonce string `json:"nonce"`
}

// stepAsk: CPUs wanted by rank, -1 for all that the job has there, 0 for none.
type stepAsk struct {
	CPUs    []int `json:"cpus"`
	Overlap bool  `json:"overlap,omitempty"`
}

type stepGo struct {
	ID int `json:"id"`
}

type stepBusy struct {
	Why string `json:"why"`
}

// runBody: files named here are opened where the process runs; without one the channel travels.
type runBody struct {
	Argv   []bytes64 `json:"argv"`
	Cwd    bytes64   `json:"cwd"`
	Umask  int64     `json:"umask"`
	Limits rlimits   `json:"limits"`
	In     bytes64   `json:"in,omitempty"`
	Out    bytes64   `json:"out,omitempty"`
	Err    bytes64   `json:"err,omitempty"`
	Append bool      `json:"append,omitempty"`
	PMI    bool      `json:"pmi,omitempty"`
	// Terminal asks for a stdout that a C library does not hold back, as srun's --unbuffered does.
	Terminal bool `json:"terminal,omitempty"`
	// Task says that it is a step's: what it leaves behind in its session ends with it. Without it, as under ssh, what
	// goes into the background stays (Open MPI's daemons do).
	Task bool `json:"task,omitempty"`
}

// stepCallBody: its outputs travel as BYTES, its end as ENDED.
type stepCallBody struct {
	Program string    `json:"program"`
	Args    []bytes64 `json:"args"`
	Cwd     bytes64   `json:"cwd"`
	Umask   int64     `json:"umask"`
	In      bytes64   `json:"in"`
}

type runningBody struct {
	PID int `json:"pid"`
}

type tookBody struct {
	Channel int   `json:"channel"`
	Bytes   int64 `json:"bytes"` // in all, since the beginning
}

type killBody struct {
	Signo int `json:"signo"`
	// End: the job is ended, and its srun hears a signal of its own for that.
	End bool `json:"end,omitempty"`
}

// endedBody has a code or a signal.
type endedBody struct {
	Code   int  `json:"code,omitempty"`
	Signal int  `json:"signal,omitempty"`
	Core   bool `json:"core,omitempty"`
}

// shell's way of telling both in one number, which is srun's too.
func (e endedBody) number() int {
	if e.Signal != 0 {
		return 128 + e.Signal
	}
	return e.Code
}

type bytesBody struct {
	Channel int
	Data    []byte
}

var newStepBody = map[byte]func() any{
	tError:    func() any { return new(errorBody) },
	tStepAsk:  func() any { return new(stepAsk) },
	tStepGo:   func() any { return new(stepGo) },
	tStepBusy: func() any { return new(stepBusy) },
	tRun:      func() any { return new(runBody) },
	tRunning:  func() any { return new(runningBody) },
	tTook:     func() any { return new(tookBody) },
	tKill:     func() any { return new(killBody) },
	tEnded:    func() any { return new(endedBody) },
	tStepCall: func() any { return new(stepCallBody) },
	tPing:     func() any { return new(pingBody) },
	tPong:     func() any { return new(pingBody) },
}

func decodeStep(typ byte, text []byte) (any, error) {
	if typ == tBytes {
		if len(text) == 0 || int(text[0]) >= channels {
			return nil, malformed("BYTES of no channel")
		}
		return bytesBody{int(text[0]), text[1:]}, nil
	}
	empty := newStepBody[typ]
	if empty == nil {
		return nil, &frameError{"unknown_type", ""}
	}
	body := empty()
	if err := strictInto(text, body); err != nil {
		return nil, err
	}
	switch b := body.(type) {
	case *runBody:
		if len(b.Argv) == 0 || len(b.Argv[0]) == 0 || !isUmask(b.Umask) || limitsBreach(b.Limits) != "" {
			return nil, malformed("RUN without a command, or with an impossible limit or umask")
		}
	case *stepCallBody:
		if b.Program == "" || !isUmask(b.Umask) {
			return nil, malformed("a call of no program, or with an impossible umask")
		}
	case *killBody:
		if b.Signo < 1 || b.Signo > 64 {
			return nil, malformed("signal %d", b.Signo)
		}
	case *tookBody:
		if b.Channel < 0 || b.Channel >= channels || !isOffset(b.Bytes) {
			return nil, malformed("TOOK of channel %d", b.Channel)
		}
	}
	return body, nil
}

func strictInto(text []byte, into any) error {
	if !utf8.Valid(text) {
		return malformed("not UTF-8")
	}
	if err := strict(text, reflect.ValueOf(into).Elem()); err != nil {
		return malformed("%v", err)
	}
	return nil
}

func bytesFrame(channel int, data []byte) []byte {
	frame := make([]byte, 6, 6+len(data))
	n := uint32(len(data) + 2)
	frame[0], frame[1], frame[2], frame[3] = byte(n>>24), byte(n>>16), byte(n>>8), byte(n)
	frame[4], frame[5] = tBytes, byte(channel)
	return append(frame, data...)
}
