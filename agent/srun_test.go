package main

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestSrunRefusesAsSlurmsDoes(t *testing.T) {
	for args, want := range map[string]string{
		"--bogus true":      "255 srun: unrecognized option '--bogus'\nTry \"srun --help\" for more information\n",
		"-n x true":         "1 srun: error: Invalid numeric value \"x\" for --ntasks.\n",
		"-n 0 true":         "1 srun: error: Invalid numeric value \"0\" for --ntasks.\n",
		"-N x true":         "255 srun: error: \"x\" is not a valid node count\n",
		"-W -3 true":        "1 srun: error: Invalid numeric value \"-3\" for --wait.\n",
		"-m foo true":       "255 srun: error: Invalid --distribution specification\n",
		"":                  "1 srun: fatal: No command given to execute.\n",
		"-n":                "255 srun: option requires an argument -- 'n'\nTry \"srun --help\" for more information\n",
		"--label=3 true":    "255 srun: option '--label' doesn't allow an argument\nTry \"srun --help\" for more information\n",
		"--ntasks":          "255 srun: option '--ntasks' requires an argument\nTry \"srun --help\" for more information\n",
		"--nt 2 true":       "255 srun: option '--nt' is ambiguous\nTry \"srun --help\" for more information\n",
		"-r 1 -w n1 true":   "1 srun: error: -r,--relative not allowed with -w/--nodelist or -x/--exclude.\n",
		"-y true":           "255 srun: invalid option -- 'y'\nTry \"srun --help\" for more information\n",
		"-t nonsense true":  "1 srun: error: Invalid --time specification\n",
		"--jobid=99 true":   "1 srun: error: --jobid=99: from a pod of job  only its own steps can be started\n",
		"-m arbitrary true": "255 srun: error: Need to specify nodelist or set SLURM_HOSTFILE for --distribution=arbitrary\n",
	} {
		t.Setenv("SLURM_JOB_ID", "")
		_, err := parseSrun(strings.Fields(args), func(string) string { return "" })
		fault, ok := err.(*srunError)
		if !ok || fmt.Sprintf("%d %s", fault.code, fault.text) != want {
			t.Errorf("%s: %v instead of %s", args, err, want)
		}
	}
}

func TestSrunsWordsAndVariablesAreRead(t *testing.T) {
	env := map[string]string{
		"SLURM_NTASKS": "9", "SLURM_JOB_NUM_NODES": "3", "SLURM_CPUS_PER_TASK": "4", "SRUN_CPUS_PER_TASK": "2", "SLURM_LABELIO": "0",
	}
	o, err := parseSrun([]string{
		"-n4", "-lu", "--cpu-bind=none", "--mem", "4G", "--gres=gpu:1", "-K", "--exact", "-W5", "--ntasks-per-n=2", "-o", "out-%t",
		"-m", "cyclic:block", "--export=ALL,A=b", "--mpi=pmi2", "-t", "1-2:03", "prog", "-n", "9",
	}, func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	if o.ntasks != 4 || !o.label || !o.unbuffered || !o.killOnBadExit || !o.exact || o.wait != 5*time.Second || o.perNode != 2 ||
		o.out != "out-%t" || o.distribution != "cyclic" || o.cpusPerTask != 2 || o.maxNodes != 3 || o.nodesSaid ||
		o.limit != 26*time.Hour+3*time.Minute {
		t.Errorf("%+v", o)
	}
	if !slices.Equal(o.command, []string{"prog", "-n", "9"}) || !slices.Equal(o.ignored, []string{"--gres"}) {
		t.Errorf("%q %q", o.command, o.ignored)
	}
	environ := o.exported([]string{"X=1", "SLURM_A=1"})
	if !slices.Equal(environ, []string{"X=1", "SLURM_A=1", "A=b"}) {
		t.Errorf("%q", environ)
	}
}

// What steps of srun of 22.05.8 had of FOO=bar MINE=m E=e.
func TestExportLetsThroughWhatSlurmsDoes(t *testing.T) {
	for export, want := range map[string]string{
		"FOO=step,ALL":         "FOO=bar MINE=m E=e SLURM_A=1",
		"all,FOO=step,NEW=2":   "FOO=bar MINE=m E=e SLURM_A=1 NEW=2",
		"NONE,NEW=1,MINE":      "SLURM_A=1",
		"NEW=1,MINE,none,FOO":  "SLURM_A=1 NEW=1 MINE=m",
		"NIL,MINE":             "SLURM_A=1 MINE=m",
		"NEW=x,y,FOO":          "SLURM_A=1 NEW=x FOO=bar",
		`NEW="x,y",FOO,A='b,'`: `SLURM_A=1 NEW="x,y" FOO=bar A='b,'`,
		"E=,FOO":               "SLURM_A=1 E= FOO=bar",
		"":                     "SLURM_A=1",
		",FOO,":                "SLURM_A=1 FOO=bar",
		" FOO":                 "SLURM_A=1",
		"NEW=a=b":              "SLURM_A=1 NEW=a=b",
		"SLURM_A=9":            "SLURM_A=1",
	} {
		o := &srunOptions{export: export, exportSaid: true}
		if got := strings.Join(o.exported([]string{"FOO=bar", "MINE=m", "E=e", "SLURM_A=1"}), " "); got != want {
			t.Errorf("%s: %s instead of %s", export, got, want)
		}
	}
}

// testPlan lays a step out over n1, n2 and n3 of 4 CPUs each.
func testPlan(t *testing.T, args string) (*stepPlan, *srunOptions, error) {
	t.Helper()
	env := map[string]string{"SLURM_JOB_NUM_NODES": "3"}
	o, err := parseSrun(append(strings.Fields(args), "x"), func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	o.silent = true
	var hosts []hostBody
	for i := range 3 {
		hosts = append(hosts, hostBody{fmt.Sprintf("n%d", i+1), fmt.Sprintf("10.0.0.%d", i+1)})
	}
	p, err := planStep(o, &team{Hosts: hosts}, []int{4, 4, 4})
	return p, o, err
}

func TestTasksAreLaidOutAsSlurmDoes(t *testing.T) {
	for args, want := range map[string]string{
		"":                                "n1 n2 n3: 0 1 2",
		"-n 1":                            "n1: 0",
		"-n 2":                            "n1 n2: 0 1",
		"-n 5":                            "n1 n2 n3: 0 0 1 1 2",
		"-n 7":                            "n1 n2 n3: 0 0 0 1 1 2 2",
		"-n 7 -m cyclic":                  "n1 n2 n3: 0 1 2 0 1 2 0",
		"-n 6 -m plane=2":                 "n1 n2 n3: 0 0 1 1 2 2",
		"-N 2":                            "n1 n2: 0 1",
		"-N 2 -n 8":                       "n1 n2: 0 0 0 0 1 1 1 1",
		"--ntasks-per-node=2":             "n1 n2 n3: 0 0 1 1 2 2",
		"-N 1 --ntasks-per-node=3":        "n1: 0 0 0",
		"-w n2":                           "n2: 0",
		"-w n3,n2 -n 2":                   "n2 n3: 0 1",
		"-x n1 -N 2":                      "n2 n3: 0 1",
		"-r 1 -N 1":                       "n2: 0",
		"-r 1 -N 2 -n 2":                  "n2 n3: 0 1",
		"-c 2 -n 6":                       "n1 n2 n3: 0 0 1 1 2 2",
		"-m arbitrary -w n3,n1,n3":        "n3 n1: 0 1 0",
		"-O -n 15":                        "n1 n2 n3: 0 0 0 0 0 1 1 1 1 1 2 2 2 2 2",
		"-N 1-2 -n 2":                     "n1 n2: 0 1",
		"--nodelist=10.0.0.3 -n 1":        "n3: 0",
		"-n 2 -N 2 --exclusive -w n[2-3]": "n2 n3: 0 1",
	} {
		p, _, err := testPlan(t, args)
		if err != nil {
			t.Errorf("%s: %v", args, err)
			continue
		}
		got := strings.Join(p.Nodes, " ") + ": " + strings.Trim(fmt.Sprint(p.TaskNode), "[]")
		if got != want {
			t.Errorf("%s: %s instead of %s", args, got, want)
		}
	}
	for args, want := range map[string]string{
		"-n 13":      "More processors requested than permitted",
		"-c 5 -n 1":  "More processors requested than permitted",
		"-N 4":       "Requested node configuration is not available",
		"-w n9":      "Invalid node name specified: n9",
		"-x n1 -N 3": "Requested node configuration is not available",
	} {
		if p, _, err := testPlan(t, args); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v %v", args, p, err)
		}
	}
}

func TestAStepTakesWholeNodesUnlessItWantsExactlyWhatItNeeds(t *testing.T) {
	for args, want := range map[string]string{"-N 2 -n 2": "[-1 -1 0]", "-N 2 -n 2 --exact": "[1 1 0]", "-n 3 -c 2": "[2 2 2]", "-w n3 -n 3 --exclusive": "[0 0 3]"} {
		p, o, err := testPlan(t, args)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(p.ask(o, 3).CPUs); got != want {
			t.Errorf("%s: %s instead of %s", args, got, want)
		}
	}
}

func TestFileNamesOfTasks(t *testing.T) {
	p, _, err := testPlan(t, "-n 6")
	if err != nil {
		t.Fatal(err)
	}
	p.JobID, p.ID, p.Name = "77", 3, "prog"
	for pattern, want := range map[string]string{
		"o-%t": "o-5", "o-%4t": "o-0005", "%N-%n": "n3-2", "%J": "77.3", "%j_%s": "77_3", "%%t": "%t", `\\%t`: "%t", "%x-%5j": "prog-00077", "%q": "%q", "50%": "50%",
	} {
		if got := p.fileFor(pattern, 5); got != want {
			t.Errorf("%s: %s instead of %s", pattern, got, want)
		}
	}
	for pattern, want := range map[string]bool{"o-%t": true, "%3N": true, "%j": false, "%%t": false, `\\%t`: false, "out": false, "%": false} {
		if perTask(pattern) != want {
			t.Errorf("%s", pattern)
		}
	}
}

func TestAStepSpeaksAndEndsAsSlurmsDoes(t *testing.T) {
	dir := t.TempDir()
	team := startTeam(t, 2, 4)
	out, errs, code := team.run(`cd ` + dir + `
srun -N2 -n4 sh -c 'exit $((SLURM_PROCID * 2))'; echo code $?
srun -n1 sh -c 'kill -SEGV $$'; echo code $?
srun -n1 nosuchprogram; echo code $?
srun -K -n2 sh -c '[ $SLURM_PROCID = 0 ] && exit 3; sleep 1000'; echo code $?
echo in | srun -l -n2 cat | sort
echo in | srun -l -n2 -i 1 cat
srun -n2 -o 'f-%t-%N' hostname; cat f-0-n1 f-1-n2
srun -n4 -o all.out sh -c 'echo $SLURM_PROCID; echo err >&2'; sort all.out
srun -n2 --open-mode=append -o all.out hostname; wc -l < all.out
srun -n1 -D / pwd
srun -n1 -w n2 --export=A=b /bin/sh -c 'echo A=$A KEEP=$KEEP on $SLURMD_NODENAME'
srun -n3 -l --multi-prog conf 2>&1
export SLURM_JOB_NAME=job; srun -n1 -J step -o '%x' sh -c 'echo $SLURM_JOB_NAME'; cat job
srun -Q -N1 -n2 -K sh -c '[ $SLURM_PROCID = 0 ] && exit 3; sleep 1000' 2>quiet; srun -QQ -n1 sh -c 'exit 4' 2>>quiet; echo code $?; grep -v STEP quiet
unset SLURM_JOB_NAME
srun -n1 --export=NONE sh -c true; echo code $?
cp "$(command -v hostname)" here; srun -n1 --export=NONE here; srun -n1 ./missing; echo code $?
srun -n1 cat /proc/self/cmdline | tr '\0' ' '; echo
printf '0-2 echo %%t\n' > more; srun -l --multi-prog more | sort
scontrol show hostnames
scontrol show hostlist n1,n2,n4
scontrol show job 77 | head -1
scontrol show job 77 | grep -c "GroupId=$(id -gn)($(id -g))"
scontrol show job 77 -o | grep -c 'JobId=77 .* JobState=RUNNING .* Comment='
export SLURM_ARRAY_JOB_ID=70 SLURM_ARRAY_TASK_ID=7 SLURM_MEM_PER_NODE=4096 SLURM_JOB_CPUS_PER_NODE='4(x2)' SLURM_JOB_NODELIST='n[1-2]'
scontrol -o show job 70_7 | grep -oE ' (Array[A-Za-z]+|NumCPUs|BatchHost|MinMemoryNode|TimeLimit|StartTime|Std[A-Za-z]+)=[^ ]*'
TZ=UTC SLURM_JOB_START_TIME=1700000000 SLURM_JOB_END_TIME=1700090000 scontrol -o show job | grep -oE ' (TimeLimit|StartTime|EndTime)=[^ ]*'
scontrol update x; echo code $?
spill-rsh n2 hostname
echo to | spill-rsh -x -o StrictHostKeyChecking=no 127.0.0.3 'cat; exit 5'; echo code $?
spill-rsh n9 true; echo code $?
`)
	want := `code 6
code 139
code 2
code 143
0: in
1: in
1: in
n1
n2
0
1
2
3
err
err
err
err
10
/
A=b KEEP= on n2
srun: error: Could not open multi_prog config file conf
step
code 4
srun: error: n1: task 0: Exited with exit code 3
srun: error: n1: task 1: Terminated
code 2
n1
code 2
CAT /proc/self/cmdline 
0: 0
1: 1
2: 2
n1
n2
n[1-2,4]
JobId=77 JobName=
1
1
 ArrayJobId=70
 ArrayTaskId=7
 BatchHost=n1
 NumCPUs=8
 MinMemoryNode=4G
 StartTime=2023-11-14T22:13:20
 EndTime=2023-11-15T23:13:20
 TimeLimit=1-01:00:00
code 1
n2
to
code 5
code 255
`
	cat, _ := exec.LookPath("cat")
	want = strings.Replace(want, "CAT", cat, 1)
	if out != want || code != 0 {
		t.Errorf("%d: %s\n--- instead of\n%s", code, out, want)
	}
	for _, line := range []string{
		"slurmstepd: error: execve(): sh: No such file or directory\n", "slurmstepd: error: execve(): " + dir + "/./missing: No such file or directory\n",
		"srun: error: n1: task 1: Exited with exit code 2\n", "srun: error: n2: task 2: Exited with exit code 4\n",
		"srun: error: n1: task 0: Segmentation fault", "slurmstepd: error: execve(): nosuchprogram: No such file or directory\n",
		"srun: launch/slurm: _step_signal: Terminating StepId=77.3\n",
		"task 1: Terminated\n", "srun: Force Terminated StepId=77.3\n",
		"spill-rsh: n9 is none of this job's nodes: n[1-2]\n",
	} {
		if !strings.Contains(errs, line) {
			t.Errorf("no %q in %s", line, errs)
		}
	}
}

// As 22.05.8 takes them.
func TestScontrolTakesWordsByTheirFirstLetters(t *testing.T) {
	team := startTeam(t, 2, 2)
	out, _, _ := team.run(`exec 2>&1
show() { echo "== $*"; scontrol show "$@"; }
show hostname
show HOSTN a[1-2]
show hostnames=a[1-2]
show hostl a2,a1
show hostlist=a2,a1
show hostlists a2,a1
show hostnames a b
for job in 'job 77' 'jobid 77' 'job=77' 'JobId=77' 'j 77' jobs; do scontrol show $job | head -n 1; done
show jobid 78
`)
	want := `== hostname
n1
n2
== HOSTN a[1-2]
a1
a2
== hostnames=a[1-2]
a1
a2
== hostl a2,a1
a[2,1]
== hostlist=a2,a1
a[2,1]
== hostlists a2,a1
a[1-2]
== hostnames a b
too many arguments for keyword:show
` + strings.Repeat("JobId=77 JobName=\n", 6) + `== jobid 78
scontrol: error: show job 78: no Slurm controller can be reached from this pod of Spillway; run it on a login node
`
	if out != want {
		t.Errorf("%s\n--- instead of\n%s", out, want)
	}
}

func TestAStepThatDoesNotFitWaitsForOneThatRuns(t *testing.T) {
	dir := t.TempDir()
	team := startTeam(t, 1, 2)
	out, errs, _ := team.run(`cd ` + dir + `
srun -n1 sh -c 'touch one; while [ ! -e go ]; do sleep 0.02; done; echo first' &
while [ ! -e one ]; do sleep 0.02; done
srun --overlap -n1 echo beside
srun -n1 echo second 2>errs &
while ! grep -q retrying errs 2>/dev/null; do sleep 0.02; done
touch go
wait; cat errs
srun --exact -n1 sh -c 'while [ ! -e go2 ]; do sleep 0.02; done' & srun --exact -n1 touch go2; wait; echo both
`)
	want := "beside\nfirst\nsecond\nsrun: Job 77 step creation temporarily disabled, retrying (Requested nodes are busy)\nsrun: Step created for job 77\nboth\n"
	if out != want || errs != "" {
		t.Errorf("%q instead of %q; %q", out, want, errs)
	}
}

func TestSignalsToSrunReachItsTasks(t *testing.T) {
	dir := t.TempDir()
	team := startTeam(t, 2, 2)
	out, errs, _ := team.run(`cd ` + dir + `
for s in USR1 TERM; do
  rm -f ready-*
  srun -n2 -u bash -c "trap 'echo got $s; exit 4' $s; touch ready-\$SLURM_PROCID; while :; do sleep 0.02; done" &
  while [ ! -e ready-0 -o ! -e ready-1 ]; do sleep 0.02; done
  kill -$s $!; wait $!; echo code $?
done
srun -n2 sh -c 'touch alive-$SLURM_PROCID; echo $$ >pid-$SLURM_PROCID; exec sleep 1000' &
while [ ! -e alive-0 -o ! -e alive-1 ]; do sleep 0.02; done
kill -KILL $!; wait $! 2>/dev/null
while srun --overlap -N2 -n2 sh -c 'kill -0 $(cat pid-$SLURM_PROCID)' 2>/dev/null; do sleep 0.05; done; echo gone
`)
	if want := "got USR1\ngot USR1\ncode 4\ncode 137\ngone\n"; out != want {
		t.Errorf("%q instead of %q", out, want)
	}
	if !strings.Contains(errs, "srun: forcing job termination\n") {
		t.Errorf("%s", errs)
	}
}

// As measured on 22.05.8: said last of a step in which TERM or KILL ended a task, unless srun was told to end it.
func TestWhatEndsByTERMOrKILLIsSaidToBeForced(t *testing.T) {
	team := startTeam(t, 2, 2)
	out, errs, _ := team.run(`exec 2>&1
run() { echo "== $*"; srun -n2 sh -c "$@"; echo code $?; }
run '[ $SLURM_PROCID = 1 ] && kill -TERM $$; sleep 0.5'
run 'kill -KILL $$'
run 'kill -USR1 $$'
run 'exit 1'
echo == told
srun -n2 sleep 1000 & sleep 1; kill -TERM $!; wait $!; echo code $?
echo == interrupted
srun -n2 sh -c '[ $SLURM_PROCID = 1 ] && exit 3; sleep 1000' & sleep 1; kill -INT $!; wait $!; echo code $?
`)
	want := []string{
		"srun: error: n2: task 1: Terminated\nsrun: Force Terminated StepId=77.0\ncode 143\n",
		"srun: Force Terminated StepId=77.1\ncode 137\n",
		"User defined signal 1\ncode 138\n",
		"Exited with exit code 1\ncode 1\n",
		"srun: Job step aborted: Waiting up to 7 seconds for job step to finish.\nslurmstepd: error: *** STEP 77.4 ON n1 CANCELLED AT ", // KillWait and 2
		"srun: StepId=77.5 task 0: running\nsrun: StepId=77.5 task 1: exited abnormally\nsrun: sending Ctrl-C to StepId=77.5\n",
	}
	parts := strings.Split(out, "== ")[1:]
	for i, text := range want {
		if !strings.Contains(parts[i], text) {
			t.Errorf("no %q in %q", text, parts[i])
		}
	}
	if n := strings.Count(out, "Force Terminated"); n != 2 || errs != "" {
		t.Errorf("%d times: %s", n, out)
	}
}

// As measured on 22.05.8.
func TestTasksPerNodeThatTheirNumberBelies(t *testing.T) {
	team := startTeam(t, 2, 8)
	out, _, _ := team.run(`exec 2>&1
for args in '-n3 --ntasks-per-node=2' '-n4 --ntasks-per-node=2' '-n2 --ntasks-per-node=2' '-n4 --ntasks-per-node=1' '-N1 -n3 --ntasks-per-node=2' '--ntasks-per-node=3'; do
  echo "== $args"; srun $args true
done
`)
	warning := func(per, tasks, nodes int) string {
		return fmt.Sprintf("srun: Warning: can't honor --ntasks-per-node set to %d which doesn't match the requested tasks %d with the number of requested nodes %d. Ignoring --ntasks-per-node.\n", per, tasks, nodes)
	}
	want := "== -n3 --ntasks-per-node=2\n" + warning(2, 3, 2) + "== -n4 --ntasks-per-node=2\n== -n2 --ntasks-per-node=2\n== -n4 --ntasks-per-node=1\n" +
		warning(1, 4, 2) + "== -N1 -n3 --ntasks-per-node=2\n" + warning(2, 3, 1) + "== --ntasks-per-node=3\n"
	if out != want {
		t.Errorf("%s\n--- instead of\n%s", out, want)
	}
}

// As measured on 22.05.8: scancel and the time limit leave the tasks the time to end, and srun says so, once.
func TestTheEndOfTheJobGivesTasksTheirTime(t *testing.T) {
	team := startTeam(t, 2, 2)
	dir := t.TempDir()
	job := startJob(t, team.gate, "#!/bin/bash\ncd "+dir+`
exec srun -n2 bash -c 'trap "sleep 2; echo task \$SLURM_PROCID saved; exit 3" TERM; touch r-$SLURM_PROCID; while :; do sleep 0.02; done'
`, nil)
	await(t, "both tasks", func() bool {
		_, a := os.Stat(dir + "/r-0")
		_, b := os.Stat(dir + "/r-1")
		return a == nil && b == nil
	})
	job.cmd.Process.Signal(syscall.SIGCONT)
	await(t, "CONT", func() bool { return strings.Contains(read(t, job.stderr), "srun: got SIGCONT\n") })
	job.cmd.Process.Signal(syscall.SIGTERM)
	job.wait()
	out, errs := sortedLines(read(t, job.stdout)), read(t, job.stderr)
	if out != "task 0 saved\ntask 1 saved" {
		t.Errorf("%q; %s", out, errs)
	}
	for _, once := range []string{
		"srun: Job step aborted: Waiting up to 7 seconds for job step to finish.\n", "slurmstepd: error: *** STEP 77.0 ON n1 CANCELLED AT ",
		"srun: forcing job termination\n", "task 1: Exited with exit code 3\n",
	} {
		if strings.Count(errs, once) != 1 {
			t.Errorf("not once %q: %s", once, errs)
		}
	}
}

func TestAPodThatIsLostEndsTheStep(t *testing.T) {
	team := startTeam(t, 2, 2)
	dir := t.TempDir()
	job := startJob(t, team.gate, "#!/bin/bash\ncd "+dir+"\nsrun -n2 sh -c 'touch r-$SLURM_PROCID; sleep 1000'; echo code $?\n", nil)
	await(t, "both tasks", func() bool {
		_, a := os.Stat(dir + "/r-0")
		_, b := os.Stat(dir + "/r-1")
		return a == nil && b == nil
	})
	team.pods[1].main.cmd.Process.Kill()
	job.wait()
	if out, errs := read(t, job.stdout), read(t, job.stderr); out != "code 137\n" || !strings.Contains(errs, "n2: task 1: lost") {
		t.Errorf("%q %q", out, errs)
	}
}

func TestARankAboveZeroEndsByTermAndTellsItsEnd(t *testing.T) {
	team := startTeam(t, 2, 2)
	l := team.links[0]
	l.send(tSignal, signalBody{ID: "g1", Signo: sigTerm, Scope: scopeAll})
	for {
		_, body, err := l.read()
		if err != nil {
			t.Fatal(err)
		}
		if exit, ok := body.(*exitBody); ok {
			if exit.Code == nil || *exit.Code != 0 || exit.Ends != (outHave{}) {
				t.Fatalf("%+v", exit)
			}
			break
		}
	}
	team.pods[1].main.wait()
}

// As measured on 22.05.8: stdout is a terminal that changes nothing, unless it is a file of the task's own.
func TestAnUnbufferedStepWritesToATerminal(t *testing.T) {
	team := startTeam(t, 2, 2)
	out, errs, code := team.run(`cd ` + t.TempDir() + `
kinds='for fd in 0 1 2; do if [ -t $fd ]; then printf "tty "; else printf "no "; fi; done; echo'
srun -n1 -u sh -c "$kinds"
SLURM_UNBUFFEREDIO=1 srun -N2 -n2 -l sh -c "$kinds" | sort
srun -n1 sh -c "$kinds"
srun -n1 -u -o one.txt sh -c "$kinds"; cat one.txt
srun -n1 -u -o %t.txt sh -c "$kinds"; cat 0.txt
srun -n1 -u printf 'a\n\004b\003\r\n' | od -An -c
srun -n1 -u sh -c 'head -c 300000 /dev/zero | tr "\0" x; exit 3' 2>/dev/null | wc -c
srun -n1 -u sh -c 'echo soon; exec sleep 1000' > soon.txt & until grep -q soon soon.txt; do sleep 0.02; done; kill $!
`)
	want := "no tty no \n0: no tty no \n1: no tty no \nno no no \nno tty no \nno no no \n   a  \\n 004   b 003  \\r  \\n\n300000\n"
	if out != want || code != 0 {
		t.Errorf("%d: %q instead of %q; %s", code, out, want, errs)
	}
}
