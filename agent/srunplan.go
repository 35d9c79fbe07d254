package main

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// stepPlan is a step as it will run: which tasks on which nodes, and what each is to know. It is what a task that
// mpirun started reads, too.
type stepPlan struct {
	JobID string   `json:"jobId"`
	Name  string   `json:"name"`
	ID    int      `json:"id"`
	Nodes []string `json:"nodes"` // of the step, in its order
	Ranks []int    `json:"ranks"` // of those in the job
	// TaskNode is the place in Nodes of each task, LocalID its number there.
	TaskNode     []int      `json:"taskNode"`
	LocalID      []int      `json:"localId"`
	CPUsPerTask  int        `json:"cpusPerTask,omitempty"`
	CPUsOnNode   []int      `json:"cpusOnNode"`
	Distribution string     `json:"distribution"`
	Label        bool       `json:"label,omitempty"`
	Overcommit   bool       `json:"overcommit,omitempty"`
	Commands     [][]string `json:"commands"` // one, or one a task
	Files        [3]string  `json:"files"`    // patterns of files opened on the tasks' nodes; "" for none
	Append       bool       `json:"append,omitempty"`
	Launcher     string     `json:"launcher"` // the address that srun runs at
}

// planStep lays tasks out over nodes. `cpus` are the job's by rank, unknownCPUs where nobody says.
func planStep(o *srunOptions, t *team, cpus []int) (*stepPlan, error) {
	ranks, err := o.candidates(t)
	if err != nil {
		return nil, err
	}
	nodes, ntasks := o.counts(len(ranks))
	if nodes > len(ranks) {
		return nil, stepRefused("Requested node configuration is not available")
	}
	p := &stepPlan{CPUsPerTask: o.cpusPerTask, Label: o.label, Overcommit: o.overcommit, Distribution: o.distribution}
	if p.Distribution == "" {
		p.Distribution = "block"
		if ntasks <= nodes {
			p.Distribution = "cyclic"
		}
	}
	if o.distribution == "arbitrary" {
		err = p.arbitrary(o, t, ntasks)
	} else {
		p.Ranks = ranks[:nodes]
		err = p.distribute(o, cpus, ntasks)
	}
	if err != nil {
		return nil, err
	}
	for _, rank := range p.Ranks {
		p.Nodes = append(p.Nodes, t.Hosts[rank].Name)
		p.CPUsOnNode = append(p.CPUsOnNode, cpus[rank])
	}
	local := make([]int, len(p.Ranks))
	for _, node := range p.TaskNode {
		p.LocalID = append(p.LocalID, local[node])
		local[node]++
	}
	p.Launcher = t.Hosts[t.Rank].Address
	return p, nil
}

func stepRefused(why string) error {
	return srunFault(1, "Unable to create step for job %s: %s", ownJobID(), why)
}

// candidates are the ranks that may take part, those that must first where they are named.
func (o *srunOptions) candidates(t *team) ([]int, error) {
	var named, others []int
	for _, host := range o.nodelist {
		rank := t.rankOf(host)
		if rank < 0 {
			return nil, stepRefused("Invalid node name specified: " + host)
		}
		if !slices.Contains(named, rank) {
			named = append(named, rank)
		}
	}
	for rank, host := range t.Hosts {
		if rank >= o.relative && !slices.Contains(named, rank) && !slices.Contains(o.exclude, host.Name) {
			others = append(others, rank)
		}
	}
	if len(named) > 0 && !o.nodesSaid {
		o.minNodes, o.maxNodes = len(named), len(named)
	}
	if o.maxNodes > len(named)+len(others) && !o.nodesSaid {
		o.minNodes, o.maxNodes = len(named)+len(others), len(named)+len(others)
	}
	if len(named) > 0 && o.maxNodes < len(named) {
		return nil, srunFault(1, "Required nodelist includes more nodes than permitted by max-node count (%d > %d).", len(named), o.maxNodes)
	}
	chosen := append(named, others...)[:min(max(o.maxNodes, 1), len(named)+len(others))]
	if o.maxNodes == 0 {
		chosen = append(named, others...)
	}
	slices.Sort(chosen) // the allocation's order, as Slurm's bitmaps have it
	return chosen, nil
}

// counts are the numbers of nodes and tasks, each from the other where it is not said.
func (o *srunOptions) counts(available int) (nodes, ntasks int) {
	nodes, ntasks = o.maxNodes, o.ntasks
	if nodes == 0 {
		nodes = available
		if ntasks > 0 {
			nodes = min(nodes, ntasks)
		}
	}
	if ntasks == 0 {
		ntasks = max(nodes, 1) * max(o.perNode, 1)
	}
	if per := o.perNode; o.ntasks > per && per > 0 && nodes > 0 && o.ntasks/nodes != per {
		srunSays(o.silent, "Warning: can't honor --ntasks-per-node set to %d which doesn't match the requested tasks %d with the number of requested nodes %d. Ignoring --ntasks-per-node.", per, o.ntasks, nodes)
	}
	if ntasks < nodes && ntasks >= 1 {
		srunSays(o.silent, "Warning: can't run %d processes on %d nodes, setting nnodes to %d", ntasks, nodes, ntasks)
		nodes = ntasks
	}
	return nodes, ntasks
}

// distribute is Slurm's: how many a node gets is dealt out one a node and round, as far as its CPUs go; block then
// numbers them node by node, cyclic as they were dealt.
func (p *stepPlan) distribute(o *srunOptions, cpus []int, ntasks int) error {
	room := make([]int, len(p.Ranks))
	total := 0
	for i, rank := range p.Ranks {
		room[i] = cpus[rank] / max(o.cpusPerTask, 1)
		if o.perNode > 0 && o.ntasks == 0 {
			room[i] = min(room[i], o.perNode)
		}
		total += room[i]
	}
	if ntasks > total && !o.overcommit {
		return stepRefused(errMoreThanJob.Error())
	}
	if o.distribution == "plane" {
		p.TaskNode = dealt(ntasks, room, o.plane)
		return nil
	}
	p.TaskNode = dealt(ntasks, room, 1)
	if p.Distribution == "block" {
		slices.Sort(p.TaskNode)
	}
	return nil
}

// dealt gives each task its node: `at` a time to each in turn, beyond the room only when there is none anywhere.
func dealt(ntasks int, room []int, at int) []int {
	var nodes []int
	given := make([]int, len(room))
	for over := false; len(nodes) < ntasks; {
		before := len(nodes)
		for node := range room {
			for n := 0; n < at && len(nodes) < ntasks && (over || given[node] < room[node]); n++ {
				nodes = append(nodes, node)
				given[node]++
			}
		}
		over = over || len(nodes) == before
	}
	return nodes
}

// arbitrary has a task for each name in the list, in its order.
func (p *stepPlan) arbitrary(o *srunOptions, t *team, ntasks int) error {
	if o.ntasks > len(o.nodelist) {
		return srunFault(1, "Arbitrary distribution of %d tasks over a list of %d hosts", o.ntasks, len(o.nodelist))
	}
	list := o.nodelist
	if o.ntasks > 0 {
		list = list[:o.ntasks]
	}
	for _, host := range list {
		rank := t.rankOf(host)
		at := slices.Index(p.Ranks, rank)
		if at < 0 {
			at = len(p.Ranks)
			p.Ranks = append(p.Ranks, rank)
		}
		p.TaskNode = append(p.TaskNode, at)
	}
	return nil
}

func (p *stepPlan) tasksOn(node int) []int {
	var tasks []int
	for task, on := range p.TaskNode {
		if on == node {
			tasks = append(tasks, task)
		}
	}
	return tasks
}

func (p *stepPlan) perNode() []int {
	counts := make([]int, len(p.Nodes))
	for _, node := range p.TaskNode {
		counts[node]++
	}
	return counts
}

// ask is what the step takes of the job's CPUs: all of its nodes', unless it wants exactly what its tasks need.
func (p *stepPlan) ask(o *srunOptions, nodes int) stepAsk {
	a := stepAsk{CPUs: make([]int, nodes), Overlap: o.overlap}
	for node, tasks := range p.perNode() {
		need := -1
		if o.exact {
			need = min(tasks*max(o.cpusPerTask, 1), p.CPUsOnNode[node])
		}
		a.CPUs[p.Ranks[node]] = need
	}
	return a
}

func (p *stepPlan) command(task int) []string {
	if len(p.Commands) == 1 {
		return p.Commands[0]
	}
	return p.Commands[task]
}

func numbersText(numbers []int) string {
	var parts []string
	for _, n := range numbers {
		parts = append(parts, strconv.Itoa(n))
	}
	return strings.Join(parts, ",")
}

// environ is what a task knows of itself, as slurmstepd of 22.05 tells it (SLURM_TASK_PID comes from its own process).
func (p *stepPlan) environ(task int, environ []string) []string {
	node := p.TaskNode[task]
	perNode := compressCounts(p.perNode())
	nodelist := compressHosts(p.Nodes)
	set := []namedValue{
		{"SLURM_PROCID", strconv.Itoa(task)}, {"SLURM_LOCALID", strconv.Itoa(p.LocalID[task])},
		{"SLURM_NODEID", strconv.Itoa(node)}, {"SLURM_GTIDS", numbersText(p.tasksOn(node))},
		{"SLURM_STEP_ID", strconv.Itoa(p.ID)}, {"SLURM_STEPID", strconv.Itoa(p.ID)},
		{"SLURM_STEP_NUM_TASKS", strconv.Itoa(len(p.TaskNode))}, {"SLURM_STEP_NUM_NODES", strconv.Itoa(len(p.Nodes))},
		{"SLURM_STEP_NODELIST", nodelist}, {"SLURM_STEP_TASKS_PER_NODE", perNode},
		{"SLURM_NTASKS", strconv.Itoa(len(p.TaskNode))}, {"SLURM_NPROCS", strconv.Itoa(len(p.TaskNode))},
		{"SLURM_NNODES", strconv.Itoa(len(p.Nodes))}, {"SLURM_NODELIST", nodelist}, {"SLURM_TASKS_PER_NODE", perNode},
		{"SLURMD_NODENAME", p.Nodes[node]}, {"SLURM_DISTRIBUTION", p.Distribution}, {"SRUN_DEBUG", "3"},
		{"SLURM_LAUNCH_NODE_IPADDR", p.Launcher},
	}
	if cpus := p.CPUsOnNode[node]; cpus < unknownCPUs {
		set = append(set, namedValue{"SLURM_CPUS_ON_NODE", strconv.Itoa(cpus)})
	}
	if p.CPUsPerTask > 0 {
		set = append(set, namedValue{"SLURM_CPUS_PER_TASK", strconv.Itoa(p.CPUsPerTask)})
	}
	if p.Label {
		set = append(set, namedValue{"SLURM_LABELIO", "1"})
	}
	if p.Overcommit {
		set = append(set, namedValue{"SLURM_OVERCOMMIT", "1"})
	}
	environ = without(environ, "SLURM_TASK_PID")
	for _, v := range set {
		environ = with(environ, v.name, v.value)
	}
	return nodeEnviron(environ, p.Nodes[node])
}

// fileFor fills a pattern in: %t %n %N %j %J %s %A %a %u %x, with a width (%4t); `\\` in front means as it is.
func (p *stepPlan) fileFor(pattern string, task int) string {
	if rest, plain := strings.CutPrefix(pattern, `\\`); plain {
		return rest
	}
	var out strings.Builder
	for i := 0; i < len(pattern); i++ {
		if pattern[i] != '%' {
			out.WriteByte(pattern[i])
			continue
		}
		digits := i + 1
		for digits < len(pattern) && pattern[digits] >= '0' && pattern[digits] <= '9' {
			digits++
		}
		if digits == len(pattern) {
			out.WriteString(pattern[i:])
			break
		}
		width, _ := strconv.Atoi(pattern[i+1 : digits])
		out.WriteString(p.replacement(pattern[digits], min(width, 10), task, pattern[i:digits+1]))
		i = digits
	}
	return out.String()
}

func (p *stepPlan) replacement(letter byte, width, task int, as string) string {
	number := func(n string) string { return strings.Repeat("0", max(width-len(n), 0)) + n }
	node := p.TaskNode[task]
	switch letter {
	case '%':
		return "%"
	case 't':
		return number(strconv.Itoa(task))
	case 'n':
		return number(strconv.Itoa(node))
	case 'N':
		short, _, _ := strings.Cut(p.Nodes[node], ".")
		return short
	case 'j':
		return number(p.JobID)
	case 'J':
		return fmt.Sprintf("%s.%d", p.JobID, p.ID)
	case 's':
		return number(strconv.Itoa(p.ID))
	case 'A':
		return number(first(os.Getenv("SLURM_ARRAY_JOB_ID"), p.JobID))
	case 'a':
		return number(first(os.Getenv("SLURM_ARRAY_TASK_ID"), "4294967294"))
	case 'u':
		return first(os.Getenv("USER"), os.Getenv("LOGNAME"))
	case 'x':
		return p.Name
	}
	return as
}
