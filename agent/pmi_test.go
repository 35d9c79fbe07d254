package main

import (
	"fmt"
	"strings"
	"testing"
)

// talk is some tasks' sides of the wire, without processes.
func talk(t *testing.T, n int) (*pmiServer, []*pmiClient, [](chan string), *int) {
	t.Helper()
	p := &stepPlan{JobID: "77", ID: 2}
	for task := range n {
		p.TaskNode = append(p.TaskNode, task/2)
	}
	for node := range (n + 1) / 2 {
		p.Nodes = append(p.Nodes, fmt.Sprintf("n%d", node+1))
	}
	aborts := 0
	s := newPMIServer(p, func() { aborts++ })
	var clients []*pmiClient
	var said [](chan string)
	for task := range n {
		heard := make(chan string, 8)
		said = append(said, heard)
		clients = append(clients, &pmiClient{task: task, reply: func(text string) { heard <- text }})
	}
	return s, clients, said, &aborts
}

func TestPMI1AsMPICHsSimpleClientSpeaksIt(t *testing.T) {
	s, c, said, aborts := talk(t, 2)
	for _, step := range [][2]string{
		{"cmd=init pmi_version=1 pmi_subversion=1", "cmd=response_to_init pmi_version=1 pmi_subversion=1 rc=0\n"},
		{"cmd=get_maxes", "cmd=maxes kvsname_max=256 keylen_max=64 vallen_max=1024\n"},
		{"cmd=get_appnum", "cmd=appnum appnum=0\n"},
		{"cmd=get_my_kvsname", "cmd=my_kvsname kvsname=kvs_77_2\n"},
		{"cmd=get_universe_size", "cmd=universe_size size=2\n"},
		{"cmd=get kvsname=kvs_77_2 key=PMI_process_mapping", "cmd=get_result rc=0 msg=success value=(vector,(0,1,2))\n"},
		{"cmd=put kvsname=kvs_77_2 key=a value=b c=d", "cmd=put_result rc=0 msg=success\n"},
		{"cmd=get kvsname=kvs_77_2 key=a", "cmd=get_result rc=0 msg=success value=b c=d\n"},
		{"cmd=get kvsname=kvs_77_2 key=z", "cmd=get_result rc=-1 msg=key_z_not_found value=unknown\n"},
	} {
		s.answer(c[0], step[0])
		if got := <-said[0]; got != step[1] {
			t.Errorf("%s: %q instead of %q", step[0], got, step[1])
		}
	}
	s.answer(c[0], "cmd=barrier_in")
	if len(said[0]) != 0 {
		t.Error("the first was let through alone")
	}
	s.answer(c[1], "cmd=barrier_in")
	if a, b := <-said[0], <-said[1]; a != "cmd=barrier_out\n" || a != b {
		t.Errorf("%q %q", a, b)
	}
	if !c[0].abandoned() {
		t.Error("it has not left MPI yet")
	}
	s.answer(c[0], "cmd=finalize")
	if got := <-said[0]; got != "cmd=finalize_ack\n" || c[0].abandoned() {
		t.Errorf("%q", got)
	}
	if s.answer(c[1], "cmd=abort exitcode=9"); *aborts != 1 {
		t.Error("no abort")
	}
}

func TestPMI2IsFramedByLengthAfterItsFirstLine(t *testing.T) {
	s, c, said, _ := talk(t, 3)
	send := func(task int, text string) string {
		t.Helper()
		request, rest, whole := c[task].cut([]byte(text))
		if !whole || len(rest) != 0 {
			t.Fatalf("%q was not taken: %q", text, rest)
		}
		s.answer(c[task], request)
		if len(said[task]) == 0 {
			return ""
		}
		return <-said[task]
	}
	framed := func(text string) string { return fmt.Sprintf("%6d%s", len(text), text) }
	for task := range c {
		if got := send(task, "cmd=init pmi_version=2 pmi_subversion=0\n"); got != "cmd=response_to_init pmi_version=2 pmi_subversion=0 rc=0\n" {
			t.Fatalf("%q", got)
		}
	}
	if got := send(2, framed("cmd=fullinit;pmijobid=j;pmirank=2;threaded=FALSE;")); !strings.Contains(got, "rank=2;size=3;") || got[:6] != fmt.Sprintf("%6d", len(got)-6) {
		t.Errorf("%q", got)
	}
	send(0, framed("cmd=kvs-put;key=k;value=v w;"))
	if got, want := send(1, framed("cmd=kvs-get;jobid=j;srcid=0;key=k;thrid=4;")), framed("cmd=kvs-get-response;thrid=4;rc=0;found=TRUE;value=v w;"); got != want {
		t.Errorf("%q instead of %q", got, want)
	}
	if got, want := send(1, framed("cmd=info-getjobattr;key=PMI_process_mapping;")), framed("cmd=info-getjobattr-response;rc=0;found=TRUE;value=(vector,(0,1,2),(1,1,1));"); got != want {
		t.Errorf("%q instead of %q", got, want)
	}
	// Task 1 waits for what task 0, on its node, is to say; task 2 is on another.
	if got := send(1, framed("cmd=info-getnodeattr;key=n;wait=TRUE;")); got != "" {
		t.Errorf("%q", got)
	}
	send(2, framed("cmd=info-putnodeattr;key=n;value=far;"))
	send(0, framed("cmd=info-putnodeattr;key=n;value=near;"))
	if got, want := <-said[1], framed("cmd=info-getnodeattr-response;rc=0;found=TRUE;value=near;"); got != want {
		t.Errorf("%q instead of %q", got, want)
	}
	for task := range c {
		s.answer(c[task], "cmd=kvs-fence;")
	}
	for task := range c {
		if got, want := <-said[task], framed("cmd=kvs-fence-response;rc=0;"); got != want {
			t.Errorf("%d: %q instead of %q", task, got, want)
		}
	}
	if _, rest, whole := c[0].cut([]byte("    99cmd=half")); whole || len(rest) != 14 {
		t.Error("half a request was taken for one")
	}
}

func TestTheMappingOfTasksToNodes(t *testing.T) {
	for want, tasks := range map[string][]int{
		"(vector,(0,3,2))":         {0, 0, 1, 1, 2, 2},
		"(vector,(0,2,1),(0,2,1))": {0, 1, 0, 1},
		"(vector,(0,1,3),(1,2,2))": {0, 0, 0, 1, 1, 2, 2},
		"(vector,(1,1,1),(0,2,1))": {1, 0, 1},
	} {
		if got := (&pmiServer{plan: &stepPlan{TaskNode: tasks}}).mapping(); got != want {
			t.Errorf("%v: %s instead of %s", tasks, got, want)
		}
	}
}
