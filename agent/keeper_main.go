package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// acceptMain lets exactly one process in, and only one that runs as the job's user. The job can reach the socket
// as well, but comes too late.
func (k *keeper) acceptMain() {
	for {
		conn, err := k.unix.AcceptUnix()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			logLine("keeper: accept: %v", err)
			time.Sleep(100 * time.Millisecond)
			continue
		}
		uid, _, _, err := peerCred(conn)
		k.mu.Lock()
		fits := err == nil && int(uid) == k.config.uid && k.mainLink == nil && k.main != "refused"
		if !fits {
			k.mu.Unlock()
			logLine("keeper: a process of uid %d is not let in", uid)
			conn.Close()
			continue
		}
		files := &fileConn{UnixConn: conn}
		l := newInnerLink(files, nil)
		l.nextData = func() int { return k.forMain(l) }
		k.mainLink = l
		k.mu.Unlock()
		l.run()
		go k.hearMain(l, files)
	}
}

func (k *keeper) hearMain(l *link, files *fileConn) {
	for {
		_, body, err := l.read()
		if err != nil {
			break
		}
		switch b := body.(type) {
		case *innerMain:
			k.mainIs(b)
		case *innerPipes:
			k.takePipes(files, b.Files)
		case *innerStarted:
			k.mainStarted(b)
		case *signalledBody:
			if !strings.HasPrefix(b.ID, ownSignals) {
				k.answer(tSignalled, b)
			}
		case *innerExited:
			k.mu.Lock()
			k.exited = b
			k.mu.Unlock()
			k.concludeIfDrained() // main may stay
		case *blobsBody:
			k.answer(tBlobs, b)
		case *stagedBody:
			k.answer(tStaged, b)
		case *carriedBody:
			k.answer(tCarried, b)
		case *callBody:
			k.answer(tCall, b)
		}
	}
	k.mainEnded()
}

func (k *keeper) mainIs(b *innerMain) {
	k.mu.Lock()
	k.main = "ready"
	if b.Fault != "" {
		k.main, k.fault = "refused", b.Fault
	}
	k.mu.Unlock()
	k.handStart()
	k.tellReady()
}

// takePipes: from here on the script's output is kept. One pipe is a joined one.
func (k *keeper) takePipes(files *fileConn, n int) {
	pipes := files.take(n)
	if n < 1 || n > 2 || pipes == nil {
		logLine("keeper: main passed %d pipes", n)
		return
	}
	k.mu.Lock()
	k.pipesLeft, k.pipesSeen = n, true
	k.mu.Unlock()
	if n == 1 {
		k.out[chErr].finish()
	}
	for i, pipe := range pipes {
		go func() {
			k.out[chOut+i].drain(pipe)
			k.mu.Lock()
			k.pipesLeft--
			k.mu.Unlock()
			k.concludeIfDrained()
		}()
	}
}

func (k *keeper) mainStarted(b *innerStarted) {
	k.mu.Lock()
	k.started = &startedBody{Grant: k.start.Grant, At: k.config.nowMs(), PID: int64(b.PID)}
	started := k.started
	waiting := k.waiting
	k.waiting = nil
	l := k.mainLink
	k.mu.Unlock()
	k.answer(tStarted, started)
	for _, s := range waiting {
		l.send(tSignal, s)
	}
	k.tellReady()
}

// mainEnded: with a report it ended as it should; without one something killed it, and with it, as process 1,
// everything in its container. What was written is in the pipes still.
func (k *keeper) mainEnded() {
	k.mu.Lock()
	k.mainGone = true
	if k.start == nil && k.main != "refused" {
		k.main, k.fault = "refused", "main ended before the start"
	}
	neverStarted := !k.pipesSeen
	staging := k.staging
	k.mu.Unlock()
	if staging != nil && staging.Way != wayNone {
		k.answer(tStaged, mainIsGone(staging))
	}
	if neverStarted {
		k.out[chOut].finish()
		k.out[chErr].finish()
	}
	k.concludeIfDrained()
	k.tellReady()
}

// concludeIfDrained settles the end once main is gone and both pipes are empty: nothing can come any more.
func (k *keeper) concludeIfDrained() {
	k.mu.Lock()
	over := k.mainGone || k.exited != nil && k.start != nil && k.start.Stays
	if !over || k.pipesLeft > 0 || k.exit != nil || k.start == nil {
		k.mu.Unlock()
		return
	}
	exit := &exitBody{Reason: k.reason}
	switch report := k.exited; {
	case report == nil:
		exit.Lost = true
		if exit.Reason == "" {
			exit.Reason = "main ended without a report"
		}
	default:
		exit.Code, exit.Signal, exit.Rusage = report.Code, report.Signal, report.Rusage
		if report.Reason != "" {
			exit.Reason = report.Reason
		}
	}
	exit.Ends.Out, _ = k.out[chOut].state()
	exit.Ends.Err, _ = k.out[chErr].state()
	k.exit = exit
	k.mu.Unlock()
	// A full disk empties as output is acknowledged; but a broken one must not keep the end from being told.
	for range 25 {
		err := k.recordExit(exit)
		if err == nil || isDone(k.over) {
			break
		}
		logLine("keeper: exit record: %v", err)
		time.Sleep(200 * time.Millisecond)
	}
	k.tellReady()
	k.answer(tExit, exit)
}

// handStart gives START to main as soon as both are there; script and environment follow through forMain.
func (k *keeper) handStart() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.start == nil || k.handed || k.main != "ready" {
		return
	}
	k.handed = true
	if k.start.Team != nil {
		key := teamKey(k.config.key, k.start.Grant.Attempt)
		k.mainLink.send(tInnerTeam, innerTeam{Start: *k.start, Key: hex.EncodeToString(key)})
		return
	}
	k.mainLink.send(tStart, k.start)
}

func (k *keeper) forMain(l *link) int {
	k.mu.Lock()
	handed := k.handed
	k.mu.Unlock()
	if !handed {
		return 0
	}
	for _, in := range []*inbox{k.script, k.env} {
		n, end, err := in.next(l.buffer())
		switch {
		case err != nil:
			l.close(fmt.Errorf("channel %d: %w", in.channel, err))
			return 0
		case n > 0:
			return n
		case end != nil:
			l.send(tClose, *end)
		}
	}
	return 0
}

// warn has the job's steps signalled when --signal says so. A limit that is changed meanwhile does not move it.
func (k *keeper) warn(start *startBody) {
	if start.Warn == nil {
		return
	}
	signal := signalBody{ID: ownSignals + "warn", Signo: start.Warn.Signo, Scope: scopeSteps}
	left := max(time.Duration(start.Warn.AtMs-start.NowMs)*time.Millisecond, 0)
	time.AfterFunc(left, func() { k.signalMain(signal) })
}

// limitTime ends the script when its time is over and no gateway is there to say so. A gateway that is connected passes on what
// Slurm does, and Slurm knows of a limit that an admin has extended meanwhile. The timers are the monotonic clock's.
func (k *keeper) limitTime(start *startBody) {
	if start.EndsAtMs == nil {
		return
	}
	left := max(time.Duration(*start.EndsAtMs-start.NowMs)*time.Millisecond, 0)
	var over func()
	over = func() {
		k.mu.Lock()
		if k.gateway != nil {
			k.mu.Unlock()
			time.AfterFunc(limitAgain, over)
			return
		}
		k.reason = "time_limit"
		k.mu.Unlock()
		// As Slurm does: what was stopped must wake to hear it.
		k.signalMain(signalBody{ID: ownSignals + "cont", Signo: sigCont, Scope: scopeAll})
		k.signalMain(signalBody{ID: ownSignals + "term", Signo: sigTerm, Scope: scopeAll})
		time.AfterFunc(time.Duration(start.KillAfterMs)*time.Millisecond, func() {
			k.signalMain(signalBody{ID: ownSignals + "kill", Signo: sigKill, Scope: scopeAll})
		})
	}
	time.AfterFunc(left, over)
}

// limitAgain is how soon a keeper whose time is over looks again whether a gateway is there.
var limitAgain = 30 * time.Second

// ownSignals are the keeper's, of which the gateway knows nothing.
const ownSignals = "keeper-"

// takeStage hands an order to main, which runs as the user; the keeper may not read what is the user's.
func (k *keeper) takeStage(b *stageBody) {
	k.mu.Lock()
	k.staging = b
	gone := k.mainGone || k.main == "refused"
	k.mu.Unlock()
	if gone {
		k.answer(tStaged, mainIsGone(b))
		return
	}
	k.toMain(tStage, b)
}

// mainIsGone begins with a word of its own: it is not worth asking again.
func mainIsGone(b *stageBody) *stagedBody {
	return &stagedBody{ID: b.ID, Fault: "main_gone: the container that the data lie in has ended", Told: []string{}}
}

func (k *keeper) toMain(typ byte, body any) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.mainLink != nil && !k.mainGone {
		k.mainLink.send(typ, body)
	}
}

const sigHup, sigInt, sigKill, sigTerm, sigCont = 1, 2, 9, 15, 18

// signalMain passes a signal on, after the start if need be.
func (k *keeper) signalMain(s signalBody) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.mainGone || k.exited != nil:
	case k.started == nil:
		k.waiting = append(k.waiting, s)
	default:
		k.mainLink.send(tSignal, s)
	}
}
