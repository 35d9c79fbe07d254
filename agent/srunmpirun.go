package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// Programs of Open MPI want PMIx, which is a library and a server of its own, and not ours to write again. They are
// started by the image's own mpirun with the same layout instead (decision 0024): a file with a line for each task,
// our spill-rsh under it, and each process through spill-task, which tells it what srun would have told.

const stepVariable = "SPILL_STEP" // the plan, for spill-task

// mpirun runs the step and gives its exit code.
func (s *srun) mpirun() int {
	fail := func(format string, args ...any) int {
		fmt.Fprintf(os.Stderr, "srun: error: "+format+"\n", args...)
		return 1
	}
	program := lookUp("mpirun", s.cwd, s.environ)
	if !strings.Contains(program, "/") {
		return fail("this program wants PMIx, which comes with Open MPI's own mpirun, and the image has none on its PATH")
	}
	out, err := newSrunOutput(s.o, s.plan)
	if err != nil {
		return fail("%v", err)
	}
	defer out.close()
	hostfile, err := s.hostfile()
	if err != nil {
		return fail("%v", err)
	}
	defer os.Remove(hostfile)
	c := exec.Command(program, s.mpirunArguments(hostfile, out)...)
	if c.Env, err = s.mpirunEnviron(); err != nil {
		return fail("%v", err)
	}
	c.Dir = s.cwd
	c.Stdin = out.input
	var copies sync.WaitGroup
	var ends []io.Closer
	for i, to := range []*io.Writer{&c.Stdout, &c.Stderr} {
		if *to = out.targets[i].to; *to == nil {
			continue
		}
		if s.o.label {
			reader, writer := io.Pipe()
			target := *to
			*to = writer
			copies.Go(func() { relabel(reader, target, out.label) })
			ends = append(ends, writer)
		}
	}
	if err := c.Start(); err != nil {
		return fail("%v", err)
	}
	defer copies.Wait()
	defer func() {
		for _, end := range ends {
			end.Close()
		}
	}()
	go func() {
		for {
			select {
			case sig := <-s.signals:
				c.Process.Signal(sig)
			case order := <-s.orders: // mpirun passes on USR1 and USR2, and ends by what ends
				if !order.End { // then it hears that itself
					c.Process.Signal(syscall.Signal(order.Signo))
				}
			}
		}
	}()
	c.Wait()
	status := c.ProcessState.Sys().(syscall.WaitStatus)
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}

// hostfile has a line for each task: the sequential mapper follows it, whatever the distribution was.
func (s *srun) hostfile() (string, error) {
	file, err := os.CreateTemp("", "spill-hosts-")
	if err != nil {
		return "", err
	}
	defer file.Close()
	for _, node := range s.plan.TaskNode {
		fmt.Fprintln(file, s.plan.Nodes[node])
	}
	return file.Name(), nil
}

func (s *srun) mpirunArguments(hostfile string, out *srunOutput) []string {
	stdin := "all"
	if out.input == nil {
		stdin = "none"
	} else if out.inputTask >= 0 {
		stdin = strconv.Itoa(out.inputTask)
	}
	arguments := []string{
		"--hostfile", hostfile, "-np", strconv.Itoa(len(s.plan.TaskNode)), "--map-by", "seq", "--oversubscribe",
		"--bind-to", "none", "--stdin", stdin, "-x", stepVariable,
	}
	if os.Getuid() == 0 {
		arguments = append(arguments, "--allow-run-as-root") // the job's own user, whoever that is
	}
	if s.o.label {
		arguments = append(arguments, "--tag-output")
	}
	return append(arguments, filepath.Join(s.team.Bin, "spill-task"))
}

func (s *srun) mpirunEnviron() ([]string, error) {
	text, err := json.Marshal(s.plan)
	if err != nil {
		return nil, err
	}
	return with(s.environ, stepVariable, string(text)), nil
}

// mpirunTag is what --tag-output puts in front of a line: [job,rank]<stdout>:
var mpirunTag = regexp.MustCompile(`^\[\d+,(\d+)\]<std(?:out|err)>: ?`)

// relabel turns mpirun's tags into srun's labels.
func relabel(from io.Reader, to io.Writer, digits int) {
	lines := bufio.NewReaderSize(from, longestLine)
	for {
		line, err := lines.ReadSlice('\n')
		if len(line) > 0 {
			if tag := mpirunTag.FindSubmatch(line); tag != nil {
				line = append(fmt.Appendf(nil, "%*s: ", digits, tag[1]), line[len(tag[0]):]...)
			}
			to.Write(line)
		}
		if err != nil && err != bufio.ErrBufferFull {
			return
		}
	}
}

// taskMain is spill-task: between mpirun's daemon and one process of a step.
func taskMain() int {
	plan := &stepPlan{}
	if err := json.Unmarshal([]byte(os.Getenv(stepVariable)), plan); err != nil {
		complain("spill-task: %s: %v; srun starts this, for programs of Open MPI", stepVariable, err)
		return 1
	}
	task, err := strconv.Atoi(first(os.Getenv("OMPI_COMM_WORLD_RANK"), os.Getenv("PMIX_RANK")))
	if err != nil || task < 0 || task >= len(plan.TaskNode) {
		complain("spill-task: no rank of this step's: %v", err)
		return 1
	}
	for fd, pattern := range plan.Files {
		if pattern == "" {
			continue
		}
		if err := openAt(fd, plan.fileFor(pattern, task), plan.Append); err != nil {
			complain("spill-task: %v", err)
			return 1
		}
	}
	environ := without(plan.environ(task, os.Environ()), stepVariable)
	environ = with(environ, "SLURM_TASK_PID", strconv.Itoa(os.Getpid()))
	command := plan.command(task)
	path := lookUp(command[0], workingDirectory(), environ)
	err = syscall.Exec(path, append([]string{path}, command[1:]...), environ)
	errno, _ := err.(syscall.Errno)
	fmt.Fprintf(os.Stderr, "slurmstepd: error: %s\n", execError(path, errno))
	return int(errno)
}

func openAt(fd int, path string, add bool) error {
	how := os.O_RDONLY
	switch {
	case fd > 0 && add:
		how = os.O_WRONLY | os.O_CREATE | os.O_APPEND
	case fd > 0:
		how = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	}
	file, err := os.OpenFile(path, how, 0o666)
	if err != nil {
		return err
	}
	return syscall.Dup3(int(file.Fd()), fd, 0)
}
