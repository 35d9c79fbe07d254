package main

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"
	"time"
)

// scontrolMain answers what a job's script asks scontrol for and a pod can know. The rest the stand-in asks the controller, where its host
// allows that.
func scontrolMain() int {
	var args []string
	between := "\n   "
	for _, arg := range os.Args[1:] { // -o, -d, -a, -Q: how it is printed, and they may stand anywhere
		if arg == "--oneliner" || strings.HasPrefix(arg, "-") && !strings.HasPrefix(arg, "--") && strings.Contains(arg, "o") {
			between = " "
		}
		if !strings.HasPrefix(arg, "-") {
			args = append(args, arg)
		}
	}
	if len(args) == 0 || !strings.EqualFold(args[0], "show") {
		return callSlurm("scontrol", os.Args[1:], os.Stdout)
	}
	if len(args) < 2 {
		fmt.Fprintln(os.Stderr, "too few arguments for keyword:show")
		return 1
	}
	if len(args) > 3 {
		fmt.Fprintln(os.Stderr, "too many arguments for keyword:show")
		return 1
	}
	said, value, there := strings.Cut(args[1], "=")
	if !there && len(args) > 2 {
		value = args[2]
	}
	switch entity := strings.ToLower(said); {
	case isShort(entity, "hostnames", 5):
		return showHostNames(value)
	case isShort(entity, "hostlist", 5):
		return showHostList(value, false)
	case isShort(entity, "hostlistsorted", 9):
		return showHostList(value, true)
	case isShort(entity, "jobs", 1) || isShort(entity, "jobid", 1):
		return showJob(value, between)
	default:
		return callSlurm("scontrol", os.Args[1:], os.Stdout)
	}
}

// isShort: Slurm takes a word by its first letters, if they are so many.
func isShort(said, word string, letters int) bool {
	return len(said) >= letters && strings.HasPrefix(word, said)
}

// refuseHere says that a command of Slurm's has no Slurm behind it in a pod.
func refuseHere(program, what string) int {
	fmt.Fprintf(os.Stderr, "%s: error: %s: no Slurm controller can be reached from this pod of Spillway; run it on a login node\n",
		program, strings.TrimSpace(what))
	return 1
}

func showHostNames(list string) int {
	if list == "" {
		list = os.Getenv("SLURM_JOB_NODELIST")
	}
	if list == "" {
		list = os.Getenv("SLURM_NODELIST")
	}
	if list == "" {
		fmt.Fprintln(os.Stderr, "scontrol: error: host list is empty")
		return 0 // Slurm's own
	}
	hosts, err := expandHosts(list)
	if err != nil {
		fmt.Fprintf(os.Stderr, "scontrol: error: %v\nInvalid hostlist: %s\n", err, list)
		return 1
	}
	for _, host := range hosts {
		fmt.Println(host)
	}
	return 0
}

// showHostList takes names with commas, or the path of a file of names.
func showHostList(names string, sorted bool) int {
	if names == "" {
		fmt.Fprintln(os.Stderr, "invalid encode argument")
		return 1
	}
	if strings.HasPrefix(names, "/") {
		text, err := os.ReadFile(names)
		if err != nil {
			fmt.Fprintf(os.Stderr, "Can not open %s\n", names)
			return 1
		}
		names = string(text)
	}
	hosts, err := expandHosts(names)
	if err != nil {
		fmt.Fprintf(os.Stderr, "Invalid hostlist: %s\n", names)
		return 1
	}
	if sorted {
		hosts = sortHosts(hosts)
	}
	fmt.Println(compressHosts(hosts))
	return 0
}

// jobFields are those of `scontrol show job` that the environment tells. Nobody tells a pod of others: a time limit before
// Slurm 23.02, Comment, Nice, Requeue, Command, StdIn, StdOut and StdErr are not in it, and are left out.
var jobFields = []struct {
	field, variable string
	as              func(string) string
}{
	{"ArrayJobId", "SLURM_ARRAY_JOB_ID", nil}, {"ArrayTaskId", "SLURM_ARRAY_TASK_ID", nil},
	{"Account", "SLURM_JOB_ACCOUNT", nil}, {"QOS", "SLURM_JOB_QOS", nil}, {"Dependency", "SLURM_JOB_DEPENDENCY", nil},
	{"Restarts", "SLURM_RESTART_COUNT", nil}, {"StartTime", "SLURM_JOB_START_TIME", slurmMoment}, {"EndTime", "SLURM_JOB_END_TIME", slurmMoment},
	{"Partition", "SLURM_JOB_PARTITION", nil}, {"NodeList", "SLURM_JOB_NODELIST", nil}, {"BatchHost", "SLURM_JOB_NODELIST", firstHost},
	{"NumNodes", "SLURM_JOB_NUM_NODES", nil}, {"NumCPUs", "SLURM_JOB_CPUS_PER_NODE", sumOfCounts},
	{"NumTasks", "SLURM_NTASKS", nil}, {"CPUs/Task", "SLURM_CPUS_PER_TASK", nil},
	{"MinMemoryNode", "SLURM_MEM_PER_NODE", slurmMebibytes}, {"MinMemoryCPU", "SLURM_MEM_PER_CPU", slurmMebibytes},
	{"Reservation", "SLURM_JOB_RESERVATION", nil}, {"WorkDir", "SLURM_SUBMIT_DIR", nil},
}

func showJob(id, between string) int {
	own := os.Getenv("SLURM_JOB_ID")
	isOwn := own != "" && (id == own || id == os.Getenv("SLURM_ARRAY_JOB_ID")+"_"+os.Getenv("SLURM_ARRAY_TASK_ID"))
	switch t, err := readTeam(); {
	case err == nil && t.Calls && isOwn:
		return showOwnJob(os.Args[1:])
	case err == nil && t.Calls:
		return callSlurm("scontrol", os.Args[1:], os.Stdout)
	case own == "" || id != "" && !isOwn:
		return refuseHere("scontrol", "show job "+id)
	}
	group := ""
	if known, err := user.LookupGroupId(strconv.Itoa(os.Getgid())); err == nil {
		group = known.Name
	}
	told := []string{
		fmt.Sprintf("JobId=%s JobName=%s", own, os.Getenv("SLURM_JOB_NAME")),
		fmt.Sprintf("UserId=%s(%d) GroupId=%s(%d)", os.Getenv("SLURM_JOB_USER"), os.Getuid(), group, os.Getgid()),
		"JobState=RUNNING",
	}
	for _, f := range jobFields {
		value := os.Getenv(f.variable)
		if value != "" && f.as != nil {
			value = f.as(value)
		}
		if value != "" {
			told = append(told, f.field+"="+value)
		}
	}
	if limit := timeLimit(os.Getenv("SLURM_JOB_START_TIME"), os.Getenv("SLURM_JOB_END_TIME")); limit != "" {
		told = append(told, "TimeLimit="+limit)
	}
	told = append(told, "Comment=seen from a pod of Spillway: what the job's environment says; the rest is on a login node")
	fmt.Println(strings.Join(told, between))
	return 0
}

// slurmMoment is a time as scontrol shows it, of seconds since the epoch; "" of what is none.
func slurmMoment(seconds string) string {
	at, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return ""
	}
	return time.Unix(at, 0).Format("2006-01-02T15:04:05")
}

// timeLimit is the whole minutes between the two, as scontrol shows them: [D-]HH:MM:SS.
func timeLimit(start, end string) string {
	from, err := strconv.ParseInt(start, 10, 64)
	to, err2 := strconv.ParseInt(end, 10, 64)
	if err != nil || err2 != nil || to < from {
		return ""
	}
	minutes := (to - from) / 60
	days := ""
	if minutes >= 24*60 {
		days = fmt.Sprintf("%d-", minutes/(24*60))
	}
	return fmt.Sprintf("%s%02d:%02d:00", days, minutes/60%24, minutes%60)
}

func firstHost(list string) string {
	hosts, err := expandHosts(list)
	if err != nil || len(hosts) == 0 {
		return ""
	}
	return hosts[0]
}

func sumOfCounts(text string) string {
	counts, err := expandCounts(text)
	if err != nil {
		return ""
	}
	sum := 0
	for _, n := range counts {
		sum += n
	}
	return strconv.Itoa(sum)
}

// slurmMebibytes is an amount of MiB in the largest unit that holds it whole: 4096 is 4G, 4097 is 4097M.
func slurmMebibytes(text string) string {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return ""
	}
	units := "MGTP"
	for n > 0 && n%1024 == 0 && len(units) > 1 {
		n, units = n/1024, units[1:]
	}
	return fmt.Sprintf("%d%c", n, units[0])
}

func refusedMain(program string) func() int {
	return func() int { return refuseHere(program, strings.Join(os.Args[1:], " ")) }
}
