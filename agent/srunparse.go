package main

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// srunVariables are read before the command line; of two names for one thing the later counts.
var srunVariables = []struct {
	variable, option string
	flag             bool // any value but 0, no, false sets it
}{
	{"SLURM_NNODES", "nodes", false}, {"SLURM_JOB_NUM_NODES", "nodes", false},
	{"SLURM_NPROCS", "ntasks", false}, {"SLURM_NTASKS", "ntasks", false},
	{"SLURM_NTASKS_PER_NODE", "ntasks-per-node", false},
	// Not SLURM_CPUS_PER_TASK: since 22.05 a step does not inherit what the job asked for.
	{"SRUN_CPUS_PER_TASK", "cpus-per-task", false},
	{"SLURM_DISTRIBUTION", "distribution", false},
	{"SLURM_EXACT", "exact", true}, {"SLURM_EXCLUSIVE", "exclusive", true},
	{"SLURM_OVERLAP", "overlap", true}, {"SLURM_OVERCOMMIT", "overcommit", true},
	{"SLURM_EXPORT_ENV", "export", false}, {"SRUN_EXPORT_ENV", "export", false},
	{"SLURM_KILL_BAD_EXIT", "kill-on-bad-exit", false},
	{"SLURM_LABELIO", "label", true}, {"SLURM_UNBUFFEREDIO", "unbuffered", true},
	{"SLURM_MPI_TYPE", "mpi", false}, {"SLURM_OPEN_MODE", "open-mode", false},
	{"SLURM_WORKING_DIR", "chdir", false}, {"SLURM_REMOTE_CWD", "chdir", false},
	{"SLURM_STDINMODE", "input", false}, {"SLURM_STDOUTMODE", "output", false}, {"SLURM_STDERRMODE", "error", false},
	{"SLURM_WAIT", "wait", false}, {"SLURM_TIMELIMIT", "time", false},
}

const srunUsage = `Usage: srun [-N nnodes] [-n ntasks] [-i in] [-o out] [-e err]
            [-c ncpus] [-r n] [-t minutes] [-D path] [-w hosts...] [-x hosts...]
            [--ntasks-per-node=n] [--exact] [--overlap] [--overcommit]
            [--label] [--unbuffered] [-m dist] [-J jobname] [--jobid=id]
            [-W sec] [-K] [--mpi=none|pmi2|openmpi] [--export=names]
            [--multi-prog] [--open-mode=append|truncate] [--quiet]
            executable [args...]
`

func parseSrun(args []string, env func(string) string) (*srunOptions, error) {
	o := &srunOptions{}
	for _, v := range srunVariables {
		value := env(v.variable)
		if value == "" || v.flag && isNo(value) {
			continue
		}
		said := o.nodesSaid
		if err := findSrun(v.option).set(o, value); err != nil {
			return nil, err
		}
		o.nodesSaid = said
	}
	o.exportSaid = o.export != ""
	if err := o.parse(args); err != nil {
		return nil, err
	}
	if o.distribution == "arbitrary" && len(o.nodelist) == 0 {
		file := env("SLURM_HOSTFILE")
		if file == "" {
			return nil, srunFault(255, "Need to specify nodelist or set SLURM_HOSTFILE for --distribution=arbitrary")
		}
		var err error
		if o.nodelist, err = hostsOrFile(file); err != nil {
			return nil, err
		}
	}
	if o.relative > 0 && len(o.nodelist)+len(o.exclude) > 0 {
		return nil, srunFault(1, "-r,--relative not allowed with -w/--nodelist or -x/--exclude.")
	}
	if len(o.command) == 0 {
		return nil, &srunError{"srun: fatal: No command given to execute.\n", 1}
	}
	return o, nil
}

func isNo(value string) bool {
	switch strings.ToLower(value) {
	case "0", "no", "false":
		return true
	}
	return false
}

func findSrun(long string) *srunOption {
	for i := range srunTable {
		if srunTable[i].long == long {
			return &srunTable[i]
		}
	}
	return nil
}

func unknownSrun(text string) error {
	return &srunError{text + "\nTry \"srun --help\" for more information\n", 255}
}

// parse is getopt_long's way, ending at the first word that is no option.
func (o *srunOptions) parse(args []string) error {
	for len(args) > 0 {
		arg := args[0]
		var err error
		switch {
		case arg == "--":
			o.command = args[1:]
			return nil
		case strings.HasPrefix(arg, "--"):
			args, err = o.parseLong(arg[2:], args[1:])
		case strings.HasPrefix(arg, "-") && arg != "-":
			args, err = o.parseShort(arg[1:], args[1:])
		default:
			o.command = args
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (o *srunOptions) parseLong(text string, rest []string) ([]string, error) {
	name, value, hasValue := strings.Cut(text, "=")
	switch name {
	case "help", "usage":
		return nil, &srunError{srunUsage, 0}
	case "version":
		return nil, &srunError{fmt.Sprintf("slurm 22.05 (as spill %s speaks it)\n", version), 0}
	}
	option := findSrun(name)
	if option == nil {
		var matches []*srunOption
		for i := range srunTable {
			if strings.HasPrefix(srunTable[i].long, name) {
				matches = append(matches, &srunTable[i])
			}
		}
		switch len(matches) {
		case 0:
			return nil, unknownSrun(fmt.Sprintf("srun: unrecognized option '--%s'", text))
		case 1:
			option = matches[0]
		default:
			return nil, unknownSrun(fmt.Sprintf("srun: option '--%s' is ambiguous", text))
		}
	}
	switch {
	case hasValue && option.takes == 0:
		return nil, unknownSrun(fmt.Sprintf("srun: option '--%s' doesn't allow an argument", option.long))
	case !hasValue && option.takes == 1:
		if len(rest) == 0 {
			return nil, unknownSrun(fmt.Sprintf("srun: option '--%s' requires an argument", option.long))
		}
		value, rest = rest[0], rest[1:]
	}
	return rest, option.set(o, value)
}

func (o *srunOptions) parseShort(letters string, rest []string) ([]string, error) {
	for len(letters) > 0 {
		letter := letters[0]
		letters = letters[1:]
		switch letter {
		case 'h':
			return nil, &srunError{srunUsage, 0}
		case 'V':
			return o.parseLong("version", rest)
		}
		var option *srunOption
		for i := range srunTable {
			if srunTable[i].short == letter {
				option = &srunTable[i]
			}
		}
		if option == nil {
			return nil, unknownSrun(fmt.Sprintf("srun: invalid option -- '%c'", letter))
		}
		value := ""
		switch option.takes {
		case 1:
			if value = letters; value == "" {
				if len(rest) == 0 {
					return nil, unknownSrun(fmt.Sprintf("srun: option requires an argument -- '%c'", letter))
				}
				value, rest = rest[0], rest[1:]
			}
			letters = ""
		case 2:
			value, letters = letters, ""
		}
		if err := option.set(o, value); err != nil {
			return nil, err
		}
	}
	return rest, nil
}

// stepEnviron is what all tasks have of srun's environment, and what Slurm's srun adds to it. `cpus` are the job's by rank.
func (o *srunOptions) stepEnviron(environ []string, cpus []int) []string {
	result := with(o.exported(environ), "SLURM_UMASK", fmt.Sprintf("%04o", currentMask))
	if priority, err := syscall.Getpriority(syscall.PRIO_PROCESS, 0); err == nil {
		result = with(result, "SLURM_PRIO_PROCESS", strconv.Itoa(20-priority)) // the kernel's own: 40 to 1
	}
	if len(cpus) > 0 && cpus[0] < unknownCPUs {
		result = with(result, "SLURM_JOB_CPUS_PER_NODE_PACK_GROUP_0", compressCounts(cpus))
	}
	if o.name != "" {
		result = with(result, "SLURM_JOB_NAME", o.name)
	}
	result = without(result, "SLURM_MPI_TYPE")
	if o.mpi != "" && o.mpi != "none" {
		result = append(result, "SLURM_MPI_TYPE="+o.mpi)
	}
	return result
}

// exported is the environment that --export lets through, as srun of 22.05 has it (_build_user_env in
// src/srun/libsrun/launch.c): NONE ends the list, and what comes of the environment itself, with ALL everything, counts
// more than NAME=value. SLURM_ and SPILL_ variables always go along.
func (o *srunOptions) exported(environ []string) []string {
	all := !o.exportSaid
	var named []string
	for _, name := range quotedList(o.export) {
		if strings.EqualFold(name, "none") {
			break
		}
		all = all || strings.EqualFold(name, "all")
		if key, value, assigned := strings.Cut(name, "="); assigned {
			named = with(named, key, value)
		} else if has(environ, name) {
			named = with(named, name, variable(environ, name))
		}
	}
	var result []string
	stays := map[string]bool{}
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		if all || strings.HasPrefix(name, "SLURM_") || strings.HasPrefix(name, "SPILL_") {
			result, stays[name] = append(result, entry), true
		}
	}
	for _, entry := range named {
		if name, _, _ := strings.Cut(entry, "="); !stays[name] {
			result = append(result, entry)
		}
	}
	return result
}

// quotedList splits at commas, but not within quotes, which stay.
func quotedList(text string) []string {
	var list []string
	quote, begin := byte(0), 0
	for i := range len(text) {
		switch c := text[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == ',':
			list = append(list, text[begin:i])
			begin = i + 1
		}
	}
	return slices.DeleteFunc(append(list, text[begin:]), func(name string) bool { return name == "" })
}

func srunSays(quiet bool, format string, args ...any) {
	if !quiet {
		fmt.Fprintf(os.Stderr, "srun: "+format+"\n", args...)
	}
}
