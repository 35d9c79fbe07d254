package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"
)

// srunMain is srun inside a job: it lays a step's tasks out over the job's pods, has the main of each start its own,
// and speaks and ends as Slurm's srun of 22.05 does. There is no slurmctld: rank 0's main counts steps and CPUs.
func srunMain() int {
	debug.SetGCPercent(100) // a process of the user's, and not for as long as the job
	o, err := parseSrun(os.Args[1:], os.Getenv)
	if err == nil {
		var s *srun
		if s, err = newSrun(o); err == nil {
			return s.run()
		}
	}
	var fault *srunError
	if !errors.As(err, &fault) {
		fault = &srunError{fmt.Sprintf("srun: error: %v\n", err), 1}
	}
	if fault.code == 0 {
		fmt.Print(fault.text)
	} else {
		fmt.Fprint(os.Stderr, fault.text)
	}
	return fault.code
}

func ownJobID() string { return os.Getenv("SLURM_JOB_ID") }

type srun struct {
	o       *srunOptions
	team    *team
	plan    *stepPlan
	environ []string
	limits  rlimits
	cwd     string
	signals chan os.Signal
	orders  chan killBody // signals for the step's tasks, of the job's
	tasks   []*srunTask
	ends    chan taskEnd
	pmi     *pmiServer
	looked  int // programs that were looked at for Open MPI's
	out     *srunOutput
}

// srunMPIs are what --mpi may say. Wire-up of MPICH's kind is always there; Open MPI's own launcher is used where the
// program or the option says so.
var srunMPIs = []string{"none", "pmi", "pmi1", "pmi2", "pmix", "pmix_v3", "pmix_v4", "openmpi"}

func newSrun(o *srunOptions) (*srun, error) {
	if o.mpi == "list" {
		return nil, &srunError{"MPI plugin types are...\n\tnone\n\tpmi2\n\tpmix\n\topenmpi\n", 0}
	}
	if o.mpi != "" && !slices.Contains(srunMPIs, o.mpi) {
		return nil, srunFault(1, "Invalid MPI type '%s', --mpi=list for acceptable types", o.mpi)
	}
	t, err := readTeam()
	if err != nil {
		return nil, err
	}
	cpus, err := expandCounts(os.Getenv("SLURM_JOB_CPUS_PER_NODE"))
	if err != nil || len(cpus) != len(t.Hosts) {
		cpus = slices.Repeat([]int{unknownCPUs}, len(t.Hosts))
	}
	s := &srun{o: o, team: t, limits: readLimits(), cwd: workingDirectory(), signals: make(chan os.Signal, 16), orders: make(chan killBody, 16)}
	if o.chdir != "" {
		s.cwd = o.chdir
	}
	if s.plan, err = planStep(o, t, cpus); err != nil {
		return nil, err
	}
	commands := [][]string{o.command}
	if o.multiProg {
		if commands, err = multiProg(o.command, len(s.plan.TaskNode), o.ntasks > 0); err != nil {
			return nil, err
		}
		if more := len(commands); more > len(s.plan.TaskNode) {
			o.ntasks = more
			if s.plan, err = planStep(o, t, cpus); err != nil {
				return nil, err
			}
		}
	}
	s.plan.JobID, s.plan.Name = ownJobID(), first(os.Getenv("SLURM_JOB_NAME"), "(null)") // the job's, not --job-name
	s.plan.Commands = commands
	s.environ = o.stepEnviron(os.Environ(), cpus)
	return s, nil
}

func (s *srun) run() int {
	if len(s.o.ignored) > 0 {
		srunSays(s.o.quiet, "warning: without a meaning in a pod, passed over: %s", strings.Join(s.o.ignored, " "))
	}
	signal.Notify(s.signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1,
		syscall.SIGUSR2, syscall.SIGALRM, syscall.SIGWINCH, syscall.SIGCONT, syscall.SIGTSTP)
	signal.Ignore(syscall.SIGPIPE)
	step, code := s.awaitStep()
	if step == nil {
		return code
	}
	defer step.close(nil)
	if s.isOpenMPI() {
		return s.mpirun()
	}
	out, err := newSrunOutput(s.o, s.plan)
	if err != nil {
		fmt.Fprintf(os.Stderr, "srun: error: %v\n", err)
		return 1
	}
	s.out = out
	defer out.close()
	if s.o.mpi != "none" {
		s.pmi = newPMIServer(s.plan, func() { s.signalAll(sigKill) })
	}
	if err := s.launch(); err != nil {
		fmt.Fprintf(os.Stderr, "srun: error: Unable to launch tasks: %v\n", err)
		s.signalAll(sigKill)
		s.closeAll()
		return 1
	}
	go s.feed()
	return s.await()
}

// awaitStep takes a number and CPUs of rank 0, whose connection holds them.
func (s *srun) awaitStep() (*flow, int) {
	refuse := func(why any) (*flow, int) {
		fmt.Fprintf(os.Stderr, "srun: error: Unable to create step for job %s: %v\n", s.plan.JobID, why)
		return nil, 1
	}
	f, err := s.team.connect(0)
	if err != nil {
		return refuse(err)
	}
	f.send(tStepAsk, s.plan.ask(s.o, len(s.team.Hosts)))
	answers := make(chan any)
	go func() {
		for {
			_, body, err := f.read()
			if err != nil {
				body = err
			}
			if kill, ok := body.(*killBody); ok {
				select {
				case s.orders <- *kill:
				default: // somebody's loop
				}
				continue
			}
			select {
			case answers <- body:
			case <-f.done:
				return
			}
			if err != nil {
				return
			}
		}
	}()
	waited := false
	for {
		select {
		case body := <-answers:
			switch b := body.(type) {
			case *stepBusy:
				waited = true
				srunSays(s.o.quiet, "Job %s step creation temporarily disabled, retrying (%s)", s.plan.JobID, b.Why)
			case *stepGo:
				if waited {
					srunSays(s.o.quiet, "Step created for job %s", s.plan.JobID)
				}
				s.plan.ID = b.ID
				return f, 0
			case *errorBody:
				return refuse(b.Text)
			case error:
				return refuse(b)
			}
		case sig := <-s.signals:
			if signo := int(sig.(syscall.Signal)); signo == sigInt || signo == sigTerm || signo == sigHup {
				srunSays(s.o.quiet, "Cancelled pending step for job %s", s.plan.JobID)
				f.close(nil)
				return nil, 1
			}
		}
	}
}

// killWait is between TERM and KILL.
func (s *srun) killWait() time.Duration { return time.Duration(s.team.KillWaitMs) * time.Millisecond }
