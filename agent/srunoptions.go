package main

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// srunOptions is what a step was asked to be, before it is known what fits.
type srunOptions struct {
	ntasks, perNode, cpusPerTask int // 0: not said
	minNodes, maxNodes           int
	nodesSaid                    bool // on the command line, not by the job
	label, unbuffered, quiet     bool
	multiProg, exact, overlap    bool
	overcommit, killOnBadExit    bool
	nodelist, exclude            []string
	relative                     int
	distribution                 string // block, cyclic, arbitrary, plane
	plane                        int
	chdir, name, mpi, openMode   string
	export                       string
	exportSaid                   bool
	in, out, err                 string
	wait, limit                  time.Duration
	ignored                      []string // said, without a meaning here
	command                      []string
}

// srunError ends srun as Slurm's own does.
type srunError struct {
	text string // whole lines
	code int
}

func (e *srunError) Error() string { return e.text }

func srunFault(code int, format string, args ...any) error {
	return &srunError{"srun: error: " + fmt.Sprintf(format, args...) + "\n", code}
}

type srunOption struct {
	long  string
	short byte
	takes byte // 0 nothing, 1 a value, 2 a value after `=` or nothing
	set   func(o *srunOptions, value string) error
}

var srunTable []srunOption

func init() {
	flag := func(field func(*srunOptions) *bool) func(*srunOptions, string) error {
		return func(o *srunOptions, _ string) error { *field(o) = true; return nil }
	}
	text := func(field func(*srunOptions) *string) func(*srunOptions, string) error {
		return func(o *srunOptions, v string) error { *field(o) = v; return nil }
	}
	count := func(name string, low int, field func(*srunOptions) *int) func(*srunOptions, string) error {
		return func(o *srunOptions, v string) error {
			n, err := strconv.Atoi(v)
			if err != nil || n < low {
				return srunFault(1, "Invalid numeric value %q for --%s.", v, name)
			}
			*field(o) = n
			return nil
		}
	}
	srunTable = []srunOption{
		{"ntasks", 'n', 1, count("ntasks", 1, func(o *srunOptions) *int { return &o.ntasks })},
		{"nodes", 'N', 1, func(o *srunOptions, v string) error { o.nodesSaid = true; return o.setNodes(v) }},
		{"ntasks-per-node", 0, 1, count("ntasks-per-node", 1, func(o *srunOptions) *int { return &o.perNode })},
		{"cpus-per-task", 'c', 1, func(o *srunOptions, v string) error {
			o.exact = true // implied, since 22.05
			return count("cpus-per-task", 1, func(o *srunOptions) *int { return &o.cpusPerTask })(o, v)
		}},
		{"label", 'l', 0, flag(func(o *srunOptions) *bool { return &o.label })},
		{"unbuffered", 'u', 0, flag(func(o *srunOptions) *bool { return &o.unbuffered })},
		{"quiet", 'Q', 0, flag(func(o *srunOptions) *bool { return &o.quiet })},
		{"multi-prog", 0, 0, flag(func(o *srunOptions) *bool { return &o.multiProg })},
		{"exact", 0, 0, flag(func(o *srunOptions) *bool { return &o.exact })},
		{"exclusive", 0, 2, flag(func(o *srunOptions) *bool { return &o.exact })},
		{"overlap", 0, 0, flag(func(o *srunOptions) *bool { return &o.overlap })},
		{"overcommit", 'O', 0, flag(func(o *srunOptions) *bool { return &o.overcommit })},
		{"kill-on-bad-exit", 'K', 2, func(o *srunOptions, v string) error { o.killOnBadExit = v != "0"; return nil }},
		{"wait", 'W', 1, func(o *srunOptions, v string) error {
			var seconds int
			err := count("wait", 0, func(*srunOptions) *int { return &seconds })(o, v)
			o.wait = time.Duration(seconds) * time.Second
			return err
		}},
		{"time", 't', 1, func(o *srunOptions, v string) (err error) { o.limit, err = slurmTime(v); return err }},
		{"nodelist", 'w', 1, func(o *srunOptions, v string) (err error) { o.nodelist, err = hostsOrFile(v); return err }},
		{"exclude", 'x', 1, func(o *srunOptions, v string) (err error) { o.exclude, err = hostsOrFile(v); return err }},
		{"relative", 'r', 1, count("relative", 0, func(o *srunOptions) *int { return &o.relative })},
		{"distribution", 'm', 1, func(o *srunOptions, v string) error { return o.setDistribution(v) }},
		{"chdir", 'D', 1, text(func(o *srunOptions) *string { return &o.chdir })},
		{"export", 0, 1, func(o *srunOptions, v string) error { o.export, o.exportSaid = v, true; return nil }},
		{"input", 'i', 1, text(func(o *srunOptions) *string { return &o.in })},
		{"output", 'o', 1, text(func(o *srunOptions) *string { return &o.out })},
		{"error", 'e', 1, text(func(o *srunOptions) *string { return &o.err })},
		{"open-mode", 0, 1, text(func(o *srunOptions) *string { return &o.openMode })},
		{"job-name", 'J', 1, text(func(o *srunOptions) *string { return &o.name })},
		{"mpi", 0, 1, text(func(o *srunOptions) *string { return &o.mpi })},
		{"jobid", 0, 1, func(_ *srunOptions, v string) error {
			if own := os.Getenv("SLURM_JOB_ID"); v != own {
				return srunFault(1, "--jobid=%s: from a pod of job %s only its own steps can be started", v, own)
			}
			return nil
		}},
		{"verbose", 'v', 0, flag(func(*srunOptions) *bool { return new(bool) })},
	}
	for _, name := range ignoredFlags {
		srunTable = append(srunTable, srunOption{long: name, takes: 0, set: ignore(name)})
	}
	for _, name := range ignoredValues {
		srunTable = append(srunTable, srunOption{long: name, takes: 1, set: ignore(name)})
	}
	for _, name := range silentValues {
		srunTable = append(srunTable, srunOption{long: name, takes: 1, set: func(*srunOptions, string) error { return nil }})
	}
	for _, name := range ignoredOptional {
		srunTable = append(srunTable, srunOption{long: name, takes: 2, set: ignore(name)})
	}
	for i, o := range srunTable {
		if short, ok := ignoredShort[o.long]; ok {
			srunTable[i].short = short
		}
	}
}

func ignore(name string) func(*srunOptions, string) error {
	return func(o *srunOptions, _ string) error {
		if !slices.Contains(o.ignored, "--"+name) {
			o.ignored = append(o.ignored, "--"+name)
		}
		return nil
	}
}

// What concerns an allocation, binding or a cluster's plugins: Slurm's srun knows it, and here it changes nothing.
var (
	ignoredFlags = []string{
		"contiguous", "disable-status", "hold", "no-allocate", "no-kill", "oversubscribe", "preserve-env", "pty", "reboot",
		"spread-job", "use-min-nodes", "whole", "interactive", "no-shell",
	}
	ignoredValues = []string{
		"account", "bb", "bbf", "bcast-exclude", "begin", "clusters", "cluster-constraint", "comment", "constraint",
		"container", "core-spec", "cores-per-socket", "cpu-freq", "cpus-per-gpu", "deadline", "delay-boot",
		"dependency", "epilog", "extra-node-info", "gid", "gpu-bind", "gpu-freq", "gpus", "gpus-per-node", "gpus-per-socket",
		"gpus-per-task", "gres", "gres-flags", "het-group", "licenses", "mail-type", "mail-user", "mcs-label",
		"mem-per-gpu", "mincpus", "network", "ntasks-per-core", "ntasks-per-gpu",
		"ntasks-per-socket", "ntasks-per-tres", "partition", "power", "prefer", "priority", "profile", "prolog", "qos",
		"reservation", "signal", "slurmd-debug", "sockets-per-node", "switches", "task-epilog", "task-prolog", "thread-spec",
		"threads", "threads-per-core", "time-min", "tmp", "tres-per-task", "uid", "wckey",
	}
	// Where a task's CPUs and memory lie, and when usage is looked at: no result depends on it, and Slurm's srun says nothing either.
	silentValues    = []string{"acctg-freq", "cpu-bind", "hint", "mem", "mem-bind", "mem-per-cpu"}
	ignoredOptional = []string{"bcast", "compress", "immediate", "nice", "propagate", "resv-ports", "send-libs"}
	ignoredShort    = map[string]byte{
		"account": 'A', "begin": 'b', "constraint": 'C', "dependency": 'd', "preserve-env": 'E', "gpus": 'G', "hold": 'H',
		"immediate": 'I', "no-kill": 'k', "licenses": 'L', "clusters": 'M', "partition": 'p', "qos": 'q',
		"oversubscribe": 's', "core-spec": 'S', "threads": 'T', "extra-node-info": 'B', "disable-status": 'X',
		"no-allocate": 'Z',
	}
)

func (o *srunOptions) setNodes(v string) error {
	low, high, isRange := strings.Cut(v, "-")
	if !isRange {
		high = low
	}
	least, err := strconv.Atoi(low)
	most, err2 := strconv.Atoi(high)
	if err != nil || err2 != nil || least < 1 || most < least {
		return srunFault(255, "%q is not a valid node count", v)
	}
	o.minNodes, o.maxNodes = least, most
	return nil
}

// setDistribution takes the first of Slurm's levels, which is that over nodes; those within a node are bindings.
func (o *srunOptions) setDistribution(v string) error {
	nodes, _, _ := strings.Cut(strings.ToLower(v), ":")
	nodes, _, _ = strings.Cut(nodes, ",")
	if size, isPlane := strings.CutPrefix(nodes, "plane"); isPlane {
		if size = strings.TrimPrefix(size, "="); size == "" {
			size = os.Getenv("SLURM_DIST_PLANESIZE")
		}
		n, err := strconv.Atoi(size)
		if err != nil || n < 1 {
			return srunFault(255, "Invalid plane size specification")
		}
		o.distribution, o.plane = "plane", n
		return nil
	}
	switch nodes {
	case "*":
		nodes = "block"
	case "block", "cyclic", "arbitrary":
	default:
		return srunFault(255, "Invalid --distribution specification")
	}
	o.distribution = nodes
	return nil
}

func hostsOrFile(v string) ([]string, error) {
	if strings.Contains(v, "/") {
		text, err := os.ReadFile(v)
		if err != nil {
			return nil, srunFault(255, "Invalid node list specification: %v", err)
		}
		v = string(text)
	}
	hosts, err := expandHosts(v)
	if err != nil {
		return nil, srunFault(255, "Invalid node list specification: %v", err)
	}
	return hosts, nil
}

// slurmTime reads minutes, minutes:seconds, hours:minutes:seconds, and days before a dash. 0 is no limit.
func slurmTime(v string) (time.Duration, error) {
	bad := srunFault(1, "Invalid --time specification")
	switch strings.ToUpper(v) {
	case "INFINITE", "UNLIMITED", "-1":
		return 0, nil
	}
	days, rest, hasDays := strings.Cut(v, "-")
	if !hasDays {
		days, rest = "0", v
	}
	var numbers []int
	for part := range strings.SplitSeq(days+":"+rest, ":") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 0 {
			return 0, bad
		}
		numbers = append(numbers, n)
	}
	d := time.Duration(numbers[0]) * 24 * time.Hour
	units := map[bool][]time.Duration{
		true:  {time.Hour, time.Minute, time.Second}, // D-H[:M[:S]]
		false: {time.Minute, time.Second},            // M[:S]
	}[hasDays]
	if !hasDays && len(numbers) == 4 { // H:M:S
		units = []time.Duration{time.Hour, time.Minute, time.Second}
	}
	if len(numbers)-1 > len(units) {
		return 0, bad
	}
	for i, n := range numbers[1:] {
		d += time.Duration(n) * units[i]
	}
	return d, nil
}
