package main

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"
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
	value := ""
	if len(args) > 2 {
		value = args[2]
	}
	switch entity := strings.ToLower(args[1]); {
	case entity == "hostnames":
		return showHostNames(value)
	case entity == "hostlist" || entity == "hostlistsorted":
		return showHostList(entity, value)
	case len(entity) >= 3 && strings.HasPrefix("jobs", entity):
		return showJob(value, between)
	default:
		return callSlurm("scontrol", os.Args[1:], os.Stdout)
	}
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
func showHostList(entity, names string) int {
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
	if entity == "hostlistsorted" {
		hosts = sortHosts(hosts)
	}
	fmt.Println(compressHosts(hosts))
	return 0
}

// jobFields are those of `scontrol show job` that the environment tells.
var jobFields = []struct{ field, variable string }{
	{"Account", "SLURM_JOB_ACCOUNT"}, {"QOS", "SLURM_JOB_QOS"}, {"Restarts", "SLURM_RESTART_COUNT"},
	{"Partition", "SLURM_JOB_PARTITION"}, {"NodeList", "SLURM_JOB_NODELIST"}, {"NumNodes", "SLURM_JOB_NUM_NODES"},
	{"NumTasks", "SLURM_NTASKS"}, {"CPUs/Task", "SLURM_CPUS_PER_TASK"}, {"MinMemoryNode", "SLURM_MEM_PER_NODE"},
	{"WorkDir", "SLURM_SUBMIT_DIR"},
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
		if value := os.Getenv(f.variable); value != "" {
			told = append(told, f.field+"="+value)
		}
	}
	told = append(told, "Comment=seen from a pod of Spillway: what the job's environment says; the rest is on a login node")
	fmt.Println(strings.Join(told, between))
	return 0
}

func refusedMain(program string) func() int {
	return func() int { return refuseHere(program, strings.Join(os.Args[1:], " ")) }
}
