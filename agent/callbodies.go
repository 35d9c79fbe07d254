package main

// Section 14 of the protocol: what a script in a pod asks of Slurm is run by the stand-in, on the burst host, as the user.

// callBody asks for a program to be run, and, repeated, for what it wrote from Have on.
type callBody struct {
	Session string  `json:"session"`
	N       int64   `json:"n"`
	Have    outHave `json:"have"`
	// Run is there until a first answer has come.
	Run *callRun `json:"run,omitempty"`
	// Waits, beside Run, are the numbers that somebody waits for, this one too.
	Waits []int64 `json:"waits,omitempty"`
	// Drop: nobody waits for it any more.
	Drop bool `json:"drop,omitempty"`
}

// callRun is the program by its bare name, and what it would have had of the script.
type callRun struct {
	Program string    `json:"program"`
	Args    []bytes64 `json:"args"`
	Env     []bytes64 `json:"env"`
	Cwd     bytes64   `json:"cwd"`
	Umask   int64     `json:"umask"`
	In      bytes64   `json:"in"`
}

// calledBody has what was written from At on; with End that is all of it.
type calledBody struct {
	Session string   `json:"session"`
	N       int64    `json:"n"`
	At      outHave  `json:"at"`
	Out     bytes64  `json:"out"`
	Err     bytes64  `json:"err"`
	End     *callEnd `json:"end,omitempty"`
}

// callEnd is a code, a signal, or why nothing was run.
type callEnd struct {
	Code    *int   `json:"code,omitempty"`
	Signal  *int   `json:"signal,omitempty"`
	Refused string `json:"refused,omitempty"`
}

const (
	// mostAsked is of arguments, environment and input together; in base64 they fit into a frame.
	mostAsked = 640 << 10
	// calledPiece is of one output in one frame.
	calledPiece = 128 << 10
)

func callBreach(v any) string {
	switch b := v.(type) {
	case *callBody:
		why := first(check(isHex(b.Session, 16), "session"), check(isOffset(b.N), "n"), outBreach(b.Have))
		for _, n := range b.Waits {
			why = first(why, check(isOffset(n), "waits"))
		}
		if b.Run != nil {
			why = first(why, check(b.Run.Program != "", "no program"), check(isUmask(b.Run.Umask), "umask"))
		}
		return why
	case *calledBody:
		why := first(check(isHex(b.Session, 16), "session"), check(isOffset(b.N), "n"), outBreach(b.At))
		if b.End != nil {
			why = first(why, callEndBreach(b.End))
		}
		return why
	}
	return ""
}

func callEndBreach(e *callEnd) string {
	ways := 0
	for _, is := range []bool{e.Code != nil, e.Signal != nil, e.Refused != ""} {
		if is {
			ways++
		}
	}
	return first(
		check(ways == 1, "not one of code, signal and refused"),
		check(e.Code == nil || *e.Code >= 0 && *e.Code <= 255, "code"),
		check(e.Signal == nil || *e.Signal >= 1 && *e.Signal <= 64, "signal"))
}
