package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// callRules say which of Slurm's programs a stand-in runs for a script.
type callRules struct {
	// Which is spill.json's scriptCommands.
	Which string
	// Job is the stand-in's, ArrayJob and its task of an array.
	Job, ArrayJob, ArrayTask string
}

const (
	callNone = "none"
	// callOwn: what only looks, and what touches this job alone.
	callOwn = "own"
	// callAll: anything that the user could do on this host by Slurm's programs, submitting too.
	callAll = "all"

	submits = "sbatch"
)

// looks are the programs that change nothing, whatever they are told. (sacct can also read a file, and what the user's other jobs
// hold: see accountingSecrets.)
var looks = []string{"squeue", "sacct", "sinfo", "sprio", "sshare", "sstat"}

// slurmPrograms are the names that a pod has for them beside srun.
var slurmPrograms = append([]string{submits, "scancel", "scontrol", "sacctmgr"}, looks...)

// refuse says why a program is not run; "" if it is.
func (r callRules) refuse(program string, args []string) string {
	switch {
	case r.Which == callNone:
		return "this burst host runs none of Slurm's programs for a script (spill.json: scriptCommands)"
	case !slices.Contains(slurmPrograms, program):
		return program + " is none of Slurm's programs that are run for a script"
	case r.Which == callAll:
		return ""
	}
	why := ""
	switch program {
	case submits:
		why = "submitting from a script"
	case "scontrol":
		why = r.scontrol(args)
	case "scancel":
		why = r.scancel(args)
	case "sacctmgr":
		why = sacctmgr(args)
	case "sacct":
		if slices.ContainsFunc(args, accountingSecrets.MatchString) {
			why = "sacct of a file, or of jobs' scripts and environments"
		}
	}
	if why == "" {
		return ""
	}
	return fmt.Sprintf("%s is not allowed on this burst host, which runs for a script only what looks at Slurm and what touches its own job (spill.json: scriptCommands)", why)
}

func isOneOf(word string, words ...string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return strings.EqualFold(w, word) })
}

// isOwn: the job's number, or an array task's name.
func (r callRules) isOwn(id string) bool {
	return r.Job != "" && (id == r.Job || r.ArrayJob != "" && id == r.ArrayJob+"_"+r.ArrayTask)
}

// isAlone: an array's last task has the array's own number, by which scontrol means all of its tasks.
func (r callRules) isAlone(id string) bool {
	return r.isOwn(id) && (r.ArrayJob == "" || id != r.ArrayJob)
}

// byArray: it is allowed only if the job is the array's task that its environment names. That alone is no proof: sbatch hands its
// environment on, so what an array's task submits has the task's names, and Slurm sets them anew only for tasks [env.c].
func (r callRules) byArray(program string, args []string) bool {
	apart := r
	apart.ArrayJob = ""
	return r.ArrayJob != r.Job && r.refuse(program, args) == "" && apart.refuse(program, args) != ""
}

func hasPrefixFold(word, prefix string) bool { return strings.HasPrefix(strings.ToLower(word), prefix) }

var (
	// plainOptions take no value.
	plainOptions = regexp.MustCompile(`^(-[adFoQv]+|--(all|details|oneliner|quiet|verbose|future|(json|yaml)(=[A-Za-z0-9._+]*)?))$`)
	requeueState = regexp.MustCompile(`(?i)^(state=specialexit|incomplete)$`)
	cancelPlain  = regexp.MustCompile(`^(-[bfHQv]+|--(batch|full|hurry|quiet|verbose|ctld|signal=[A-Za-z0-9+]+)|-s[A-Za-z0-9+]+)$`)
	cancelStep   = regexp.MustCompile(`^[0-9]+$`)
	// accountingSecrets are -B, -f, --batch-script, --env-vars and --file, as getopt takes them: among letters, and cut short.
	accountingSecrets = regexp.MustCompile(`^(-[abcDehlLnpPTtUvVX]*[Bf]|--ba|--env|--fil)`)
)

// accounts are what sacctmgr lists without touching it: it mends runaway (orphan, lost) jobs while it lists them.
var accounts = []string{
	"accounts", "acct", "associations", "clusters", "configuration", "coordinators", "events", "federations", "instances", "problems", "qos",
	"reservations", "resources", "resv", "stats", "transactions", "tres", "txn", "users", "wckeys",
}

// sacctmgr says why a call is not allowed. None of its options but --autocomplete, which only prints, takes a value apart.
func sacctmgr(args []string) string {
	words := slices.DeleteFunc(slices.Clone(args), func(a string) bool { return strings.HasPrefix(a, "-") })
	if len(words) == 0 || !isOneOf(words[0], "show", "list") {
		return "sacctmgr other than show and list"
	}
	isAccount := func(name string) bool { return len(words) > 1 && strings.HasPrefix(name, strings.ToLower(words[1])) }
	if !slices.ContainsFunc(accounts, isAccount) {
		return "sacctmgr " + strings.Join(words, " ")
	}
	return ""
}

// updatable are what an owner may change of his own job, and what selects none.
var updatable = []string{
	"comment", "deadline", "dependency", "endtime", "extra", "mailtype", "mailuser", "nice", "requeue", "timelimit", "timemin", "wckey",
}

func (r callRules) scontrol(args []string) string {
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		if !plainOptions.MatchString(args[0]) {
			return "scontrol " + args[0]
		}
		args = args[1:]
	}
	if len(args) == 0 {
		return "scontrol without a command"
	}
	command, rest := strings.ToLower(args[0]), args[1:]
	rest = slices.DeleteFunc(slices.Clone(rest), plainOptions.MatchString)
	shown := "scontrol " + strings.Join(args, " ")
	// Any other option may take the word behind it away, and after an option scontrol takes setdebug for its command.
	if slices.ContainsFunc(rest, func(a string) bool { return strings.HasPrefix(a, "-") || hasPrefixFold(a, "setdebug") }) {
		return shown
	}
	switch command {
	case "show":
		// These read files and ask no controller; the pod does it itself.
		if len(rest) > 0 && !hasPrefixFold(rest[0], "host") {
			return ""
		}
	case "ping", "version":
		return ""
	case "requeue", "requeuehold":
		rest = slices.DeleteFunc(rest, requeueState.MatchString)
		fallthrough
	case "hold", "uhold", "release":
		if len(rest) == 1 && r.isAlone(rest[0]) {
			return ""
		}
	case "update":
		if r.updates(rest) {
			return ""
		}
	}
	return shown
}

// updates: the job is named once, and nothing is said that selects another.
func (r callRules) updates(args []string) bool {
	named := 0
	for _, arg := range args {
		key, value, there := strings.Cut(arg, "=")
		key = strings.TrimRight(strings.ToLower(key), "+-")
		switch {
		case !there:
			return false
		case key == "jobid" || key == "job":
			if named++; !r.isAlone(value) {
				return false
			}
		case !slices.Contains(updatable, key):
			return false
		}
	}
	return named == 1 && len(args) > 1
}

func (r callRules) scancel(args []string) string {
	named := 0
	for i := 0; i < len(args); i++ {
		arg := args[i]
		switch id, step, ofStep := strings.Cut(arg, "."); {
		case (arg == "-s" || arg == "--signal") && i+1 < len(args):
			i++
		case cancelPlain.MatchString(arg):
		case ofStep && !cancelStep.MatchString(step): // "1.0,2" is a list
			return "scancel " + strings.Join(args, " ")
		case r.isOwn(id) || r.ArrayJob != "" && arg == r.ArrayJob:
			named++
		default:
			return "scancel " + strings.Join(args, " ")
		}
	}
	if named == 0 {
		return "scancel that names no job"
	}
	return ""
}
