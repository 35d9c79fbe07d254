package main

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
)

// pmiServer is the simple PMI server that MPICH and its kin ask at start, version 1 and 2 as in MPICH's
// src/pmi/simple and src/pmi2/simple. It lives in srun: the nodes only carry bytes between a task's descriptor PMI_FD and here.
type pmiServer struct {
	plan  *stepPlan
	abort func()

	mu      sync.Mutex
	values  map[string]string
	nodes   []map[string]string // node attributes, version 2
	fence   []*pmiClient
	waiting []pmiWait
}

// pmiWait is a question for an attribute of a node that nobody has answered yet.
type pmiWait struct {
	client *pmiClient
	node   int
	key    string
	thread string
}

// pmiClient is one task's side of the talk.
type pmiClient struct {
	task  int
	reply func(text string)

	mu        sync.Mutex
	version   int
	finalized bool
	thread    string // of the fence that it waits in
}

// pmiLimits are MPICH's own.
const (
	pmiLine   = 64 << 10
	pmiMaxes  = "kvsname_max=256 keylen_max=64 vallen_max=1024"
	pmiValues = 1 << 20 // entries; a million ranks' worth is none of a job's
)

func newPMIServer(p *stepPlan, abort func()) *pmiServer {
	s := &pmiServer{plan: p, abort: abort, values: map[string]string{}}
	for range p.Nodes {
		s.nodes = append(s.nodes, map[string]string{})
	}
	s.values["PMI_process_mapping"] = s.mapping()
	return s
}

func (s *pmiServer) kvs() string { return fmt.Sprintf("kvs_%s_%d", s.plan.JobID, s.plan.ID) }

// mapping tells which tasks share a node: (vector,(first node,nodes,tasks on each),…), tasks in order.
func (s *pmiServer) mapping() string {
	var blocks []string
	tasks := s.plan.TaskNode
	for i := 0; i < len(tasks); {
		n := runLength(tasks[i:])
		node, count := tasks[i], 1
		for at := i + n; at < len(tasks) && tasks[at] == node+count && runLength(tasks[at:]) == n; at += n {
			count++
		}
		blocks = append(blocks, fmt.Sprintf("(%d,%d,%d)", node, count, n))
		i += n * count
	}
	return "(vector," + strings.Join(blocks, ",") + ")"
}

func runLength(tasks []int) int {
	n := 1
	for n < len(tasks) && tasks[n] == tasks[0] {
		n++
	}
	return n
}

// environ is what a task needs to find the server; its daemon adds PMI_FD.
func (s *pmiServer) environ(task int, environ []string) []string {
	for _, v := range []namedValue{
		{"PMI_RANK", strconv.Itoa(task)}, {"PMI_SIZE", strconv.Itoa(len(s.plan.TaskNode))}, {"PMI_JOBID", s.kvs()},
	} {
		environ = with(environ, v.name, v.value)
	}
	return without(environ, "PMI_PORT", "PMI_ID", "PMI_SPAWNED")
}

func (s *pmiServer) client(task int, call *stepCall) *pmiClient {
	return &pmiClient{task: task, reply: func(text string) { call.put(stPMI, []byte(text)) }}
}

// serve reads requests until the task closes its descriptor.
func (s *pmiServer) serve(c *pmiClient, call *stepCall) {
	var buffer []byte
	call.drain(stPMI, func(piece []byte) {
		if buffer = append(buffer, piece...); len(buffer) > pmiLine {
			s.abort()
			return
		}
		for {
			request, rest, whole := c.cut(buffer)
			if !whole {
				return
			}
			buffer = rest
			s.answer(c, request)
		}
	})
}

// cut takes one request: a line in version 1, and in 2, after its first line, six digits of length and the text.
func (c *pmiClient) cut(buffer []byte) (request string, rest []byte, whole bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.version == 2 {
		if len(buffer) < 6 {
			return "", buffer, false
		}
		n, err := strconv.Atoi(strings.TrimSpace(string(buffer[:6])))
		if err != nil || n < 0 || n > pmiLine {
			return "cmd=abort", nil, true
		}
		if len(buffer) < 6+n {
			return "", buffer, false
		}
		return string(buffer[6 : 6+n]), buffer[6+n:], true
	}
	end := strings.IndexByte(string(buffer), '\n')
	if end < 0 {
		return "", buffer, false
	}
	return string(buffer[:end]), buffer[end+1:], true
}

// abandoned says that a task that has ended was in MPI and did not leave it as it should.
func (c *pmiClient) abandoned() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.version != 0 && !c.finalized
}

func (s *pmiServer) answer(c *pmiClient, request string) {
	c.mu.Lock()
	version := c.version
	c.mu.Unlock()
	if version == 2 {
		s.answer2(c, pmiFields(request, ";"))
		return
	}
	s.answer1(c, request, pmiFields(request, " "))
}

// pmiFields reads key=value; the value of `value` may hold blanks in version 1, so it takes the rest.
func pmiFields(text, separator string) map[string]string {
	fields := map[string]string{}
	for text != "" {
		key, rest, ok := strings.Cut(text, "=")
		if !ok {
			break
		}
		value, after, _ := strings.Cut(rest, separator)
		if separator == " " && strings.TrimSpace(key) == "value" {
			value, after = rest, ""
		}
		fields[strings.TrimSpace(key)] = value
		text = after
	}
	return fields
}

func (s *pmiServer) answer1(c *pmiClient, request string, f map[string]string) {
	say := func(format string, args ...any) { c.reply(fmt.Sprintf(format, args...) + "\n") }
	switch f["cmd"] {
	case "init":
		c.mu.Lock()
		if c.version = 1; f["pmi_version"] == "2" {
			c.version = 2
		}
		c.mu.Unlock()
		say("cmd=response_to_init pmi_version=%s pmi_subversion=%s rc=0", f["pmi_version"], f["pmi_subversion"])
	case "get_maxes":
		say("cmd=maxes " + pmiMaxes)
	case "get_appnum":
		say("cmd=appnum appnum=0")
	case "get_my_kvsname":
		say("cmd=my_kvsname kvsname=%s", s.kvs())
	case "get_ranks2hosts":
		say("cmd=put_ranks2hosts 0 0 rc=-1")
	case "get_universe_size":
		say("cmd=universe_size size=%d", len(s.plan.TaskNode))
	case "put":
		if !s.put(f["key"], f["value"]) {
			say("cmd=put_result rc=-1 msg=too_many_values")
			return
		}
		say("cmd=put_result rc=0 msg=success")
	case "get":
		if value, ok := s.get(f["key"]); ok {
			say("cmd=get_result rc=0 msg=success value=%s", value)
		} else {
			say("cmd=get_result rc=-1 msg=key_%s_not_found value=unknown", f["key"])
		}
	case "barrier_in":
		s.enterFence(c, "", func(all *pmiClient) { all.reply("cmd=barrier_out\n") })
	case "finalize":
		c.mu.Lock()
		c.finalized = true
		c.mu.Unlock()
		say("cmd=finalize_ack")
	case "abort":
		s.abort()
	case "publish_name", "unpublish_name", "lookup_name":
		say("cmd=%s_result rc=-1 msg=not_supported", strings.TrimSuffix(f["cmd"], "_name"))
	default:
		if strings.HasPrefix(request, "mcmd=spawn") || f["cmd"] == "spawn" {
			say("cmd=spawn_result rc=-1 msg=spawn_is_not_supported")
		}
	}
}

func (s *pmiServer) put(key, value string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.values) >= pmiValues {
		return false
	}
	s.values[key] = value
	return true
}

func (s *pmiServer) get(key string) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	value, ok := s.values[key]
	return value, ok
}

// enterFence lets all tasks go on when the last has come.
func (s *pmiServer) enterFence(c *pmiClient, thread string, leave func(*pmiClient)) {
	c.mu.Lock()
	c.thread = thread
	c.mu.Unlock()
	s.mu.Lock()
	s.fence = append(s.fence, c)
	var all []*pmiClient
	if len(s.fence) == len(s.plan.TaskNode) {
		all, s.fence = s.fence, nil
	}
	s.mu.Unlock()
	for _, client := range all {
		leave(client)
	}
}
