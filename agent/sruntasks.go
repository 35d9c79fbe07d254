package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

type srunTask struct {
	id    int
	call  *stepCall
	pmi   *pmiClient
	over  bool
	ended endedBody
}

type taskEnd struct {
	task  *srunTask
	ended endedBody
	err   error
}

// launchAtOnce bounds connections that are not known yet, well below what a node keeps of strangers.
const launchAtOnce = 16

func (s *srun) launch() error {
	n := len(s.plan.TaskNode)
	s.tasks, s.ends = make([]*srunTask, n), make(chan taskEnd, n)
	slots := make(chan struct{}, launchAtOnce)
	faults := make(chan error, n)
	var all sync.WaitGroup
	for id := range n {
		all.Go(func() {
			slots <- struct{}{}
			call, err := s.start(id)
			<-slots
			if err != nil {
				faults <- err
				return
			}
			s.tasks[id] = &srunTask{id: id, call: call}
		})
	}
	all.Wait()
	select {
	case err := <-faults:
		return err
	default:
	}
	for _, task := range s.tasks { // only now: all of them count for MPI's barriers
		if s.pmi != nil {
			task.pmi = s.pmi.client(task.id, task.call)
			go s.pmi.serve(task.pmi, task.call)
		}
		go s.follow(task)
	}
	return nil
}

func (s *srun) start(id int) (*stepCall, error) {
	environ := s.plan.environ(id, s.environ)
	if s.pmi != nil {
		environ = s.pmi.environ(id, environ)
	}
	rank := s.plan.Ranks[s.plan.TaskNode[id]]
	run := &runBody{
		Argv: asBytes(s.plan.command(id)), Cwd: bytes64(s.cwd), Umask: currentMask, Limits: s.limits,
		Append: s.o.openMode == "append" || s.o.openMode == "a", PMI: s.pmi != nil, Task: true, Terminal: s.o.unbuffered,
	}
	for i, file := range []*bytes64{&run.In, &run.Out, &run.Err} {
		if pattern := s.plan.Files[i]; pattern != "" {
			*file = bytes64(s.plan.fileFor(pattern, id))
		}
	}
	return s.team.call(rank, run, environ)
}

// currentMask is asked for once: asking changes it for a moment.
var currentMask = currentUmask()

// follow takes a task's outputs and its end.
func (s *srun) follow(task *srunTask) {
	var outputs sync.WaitGroup
	for _, channel := range []int{stOut, stErr} {
		outputs.Go(func() {
			sink := s.out.sink(task.id, channel)
			task.call.drain(channel, sink.write)
			sink.end()
		})
	}
	ended, err := task.call.hear()
	if err != nil {
		task.call.close(err)
	}
	outputs.Wait()
	s.ends <- taskEnd{task, ended, err}
}

// feed gives srun's stdin to all tasks, or to the one that --input names.
func (s *srun) feed() {
	source, only := s.out.input, s.out.inputTask
	to := s.tasks
	if only >= 0 {
		to = s.tasks[only : only+1]
	}
	for _, task := range s.tasks {
		if source == nil || only >= 0 && task.id != only {
			task.call.end(stIn)
		}
	}
	if source == nil {
		return
	}
	buffer := make([]byte, stepChunk)
	for {
		n, err := source.Read(buffer)
		if n > 0 {
			for _, task := range to {
				task.call.put(stIn, buffer[:n]) // one that has ended takes no more
			}
		}
		if err != nil {
			if err != io.EOF {
				fmt.Fprintf(os.Stderr, "srun: error: stdin: %v\n", err)
			}
			for _, task := range to {
				task.call.end(stIn)
			}
			return
		}
	}
}

func (s *srun) signalAll(signo int) {
	for _, task := range s.tasks {
		if task != nil {
			task.call.send(tKill, killBody{Signo: signo})
		}
	}
}

func (s *srun) closeAll() {
	for _, task := range s.tasks {
		if task != nil {
			task.call.close(nil)
		}
	}
}

// stepEnd is what await keeps in mind.
type stepEnd struct {
	*srun
	left      int
	code      int
	aborting  bool
	told      bool // srun gives the step up, and has said so
	forced    bool // a task ended by TERM or KILL, and not because srun was told to end
	ending    bool // srun was told to end it, and has said that
	lastInt   time.Time
	unsaid    map[int]map[endedBody][]int // by node, then how they ended
	timer     <-chan time.Time            // -W
	kill      <-chan time.Time            // after TERM
	force     <-chan time.Time            // srun was ended by a signal, and the job perhaps with it
	say       <-chan time.Time
	why       string // of what slurmstepd says
	timeLimit <-chan time.Time
}

// sayTogether is how long ends of one node are gathered into one line.
const sayTogether = 100 * time.Millisecond

// await returns srun's exit code, the highest of its tasks'.
func (s *srun) await() int {
	e := &stepEnd{srun: s, left: len(s.tasks), unsaid: map[int]map[endedBody][]int{}}
	if s.o.limit > 0 {
		e.timeLimit = time.After(s.o.limit)
	}
	for e.left > 0 {
		select {
		case end := <-s.ends:
			e.take(end)
		case sig := <-s.signals:
			e.hear(int(sig.(syscall.Signal)))
		case order := <-s.orders:
			if order.End {
				e.abort(order.Signo)
				e.forcing()
			} else {
				s.signalAll(order.Signo)
			}
		case <-e.force:
			e.force = nil
			if !e.told {
				e.abort(sigKill)
			}
		case <-e.say:
			e.sayEnds()
		case <-e.timer:
			e.timer = nil
			srunSays(e.o.quiet, "First task exited %ds ago", int(e.o.wait.Seconds()))
			e.sayStates()
			srunSays(e.o.quiet, "launch/slurm: _step_signal: Terminating StepId=%s.%d", e.plan.JobID, e.plan.ID)
			e.abort(sigKill)
		case <-e.kill:
			e.kill = nil
			s.signalAll(sigKill)
		case <-e.timeLimit:
			e.timeLimit = nil
			e.why = " DUE TO TIME LIMIT"
			e.abort(sigTerm)
		}
	}
	e.sayEnds()
	if e.forced {
		srunSays(e.o.quiet, "Force Terminated StepId=%s.%d", e.plan.JobID, e.plan.ID)
	}
	return e.code
}

func (e *stepEnd) take(end taskEnd) {
	e.left--
	task := end.task
	task.over, task.ended = true, end.ended
	node := e.plan.TaskNode[task.id]
	if end.err != nil {
		fmt.Fprintf(os.Stderr, "srun: error: %s: task %d: lost: %v\n", e.plan.Nodes[node], task.id, end.err)
		e.code = max(e.code, 1)
		e.abort(sigKill)
		return
	}
	e.code = max(e.code, end.ended.number())
	if end.ended != (endedBody{}) {
		if e.unsaid[node] == nil {
			e.unsaid[node] = map[endedBody][]int{}
		}
		e.unsaid[node][end.ended] = append(e.unsaid[node][end.ended], task.id)
		if e.say == nil {
			e.say = time.After(sayTogether)
		}
	}
	if signo := end.ended.Signal; !e.told && (signo == sigTerm || signo == sigKill) {
		e.forced = true
	}
	bad := end.ended != (endedBody{})
	switch {
	case e.left == 0 || e.aborting:
	case bad && e.o.killOnBadExit:
		e.sayEnds()
		srunSays(e.o.quiet, "launch/slurm: _step_signal: Terminating StepId=%s.%d", e.plan.JobID, e.plan.ID)
		e.end(sigTerm)
	case bad && task.pmi != nil && task.pmi.abandoned():
		e.sayEnds()
		srunSays(e.o.silent, "error: task %d ended within MPI: the others would wait for it for ever", task.id)
		e.abort(sigKill)
	case e.o.wait > 0 && e.timer == nil:
		e.timer = time.After(e.o.wait)
	}
}

// abort ends every task, by KILL after KillWait at the latest.
func (e *stepEnd) abort(signo int) {
	if e.aborting && signo != sigKill {
		return
	}
	if !e.told {
		srunSays(e.o.quiet, "Job step aborted: Waiting up to %d seconds for job step to finish.", int(e.killWait().Seconds())+2)
	}
	e.told, e.forced = true, false
	e.end(signo)
}

// end signals every task, without a word of srun's; slurmstepd has one of the first.
func (e *stepEnd) end(signo int) {
	if !e.aborting {
		fmt.Fprintf(os.Stderr, "slurmstepd: error: *** STEP %s.%d ON %s CANCELLED AT %s%s ***\n",
			e.plan.JobID, e.plan.ID, e.plan.Nodes[0], time.Now().Format("2006-01-02T15:04:05"), e.why)
	}
	e.aborting = true
	if signo == sigTerm {
		e.signalAll(sigCont)
	}
	e.signalAll(signo)
	if e.kill == nil && signo != sigKill {
		e.kill = time.After(e.killWait())
	}
}

// sayOfJob is how long srun waits for the word that the whole job is ended. Then its tasks have heard TERM, and have the
// time that KillWait leaves; of an srun that alone is ended by a signal, Slurm kills them.
const sayOfJob = time.Second

// hear passes signals on. A second interrupt within a second, and TERM, HUP and QUIT end the step.
func (e *stepEnd) hear(signo int) {
	switch syscall.Signal(signo) {
	case syscall.SIGINT:
		if time.Since(e.lastInt) < time.Second {
			srunSays(e.o.quiet, "forcing job termination")
			e.abort(sigKill)
			return
		}
		e.lastInt = time.Now()
		srunSays(e.o.quiet, "interrupt (one more within 1 sec to abort)")
		e.sayStates()
		srunSays(e.o.quiet, "sending Ctrl-C to StepId=%s.%d", e.plan.JobID, e.plan.ID)
		e.signalAll(sigInt)
	case syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT:
		e.forcing()
		if !e.told && e.force == nil {
			e.force = time.After(sayOfJob)
		}
	case syscall.SIGCONT:
		srunSays(e.o.quiet, "got SIGCONT")
	case syscall.SIGTSTP, syscall.SIGWINCH:
	default:
		e.signalAll(signo)
	}
}

// forcing is said once, of the signal or of the word that it is on its way: tasks may end before srun hears it.
func (e *stepEnd) forcing() {
	if !e.ending {
		srunSays(e.o.quiet, "forcing job termination")
	}
	e.ending = true
}

// sayEnds tells of tasks that ended badly, those of one node and one end in one line.
func (e *stepEnd) sayEnds() {
	e.say = nil
	for node := range e.plan.Nodes {
		for how, tasks := range e.unsaid[node] {
			slices.Sort(tasks)
			if !e.o.silent {
				fmt.Fprintf(os.Stderr, "srun: error: %s: %s %s: %s\n", e.plan.Nodes[node], taskWord(tasks), taskRanges(tasks), how.text())
			}
		}
		delete(e.unsaid, node)
	}
}

// sayStates tells an impatient user which tasks still run.
func (e *stepEnd) sayStates() {
	states := map[string][]int{}
	for _, task := range e.tasks {
		state := "running"
		if task.over {
			state = "exited"
			if task.ended != (endedBody{}) {
				state = "exited abnormally"
			}
		}
		states[state] = append(states[state], task.id)
	}
	for _, state := range []string{"running", "exited abnormally", "exited"} {
		if tasks := states[state]; len(tasks) > 0 {
			srunSays(e.o.quiet, "StepId=%s.%d %s %s: %s", e.plan.JobID, e.plan.ID, taskWord(tasks), taskRanges(tasks), state)
		}
	}
}

func taskWord(tasks []int) string {
	if len(tasks) == 1 {
		return "task"
	}
	return "tasks"
}

func taskRanges(tasks []int) string {
	var names []string
	for _, t := range tasks {
		names = append(names, strconv.Itoa(t))
	}
	return strings.NewReplacer("[", "", "]", "").Replace(compressHosts(names))
}

// signalNames are strsignal(3)'s, where Go's differ.
var signalNames = map[int]string{
	2: "Interrupt", 6: "Aborted", 10: "User defined signal 1", 12: "User defined signal 2", 14: "Alarm clock",
	24: "CPU time limit exceeded", 25: "File size limit exceeded", 31: "Bad system call", 5: "Trace/breakpoint trap",
}

func (e endedBody) text() string {
	if e.Signal == 0 {
		return fmt.Sprintf("Exited with exit code %d", e.Code)
	}
	name := signalNames[e.Signal]
	if name == "" {
		name = cText(fmt.Errorf("%s", syscall.Signal(e.Signal).String()))
	}
	if e.Core {
		name += " (core dumped)"
	}
	return name
}
