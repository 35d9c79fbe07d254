package main

import (
	"os"
	"strings"
	"testing"
)

// A job that an array's task submitted has that task's names in its environment.
func TestAnArrayIsAJobsOwnOnlyIfSlurmSaysSo(t *testing.T) {
	b := startCalls(t, callOwn, nil)
	b.host.rules.ArrayJob, b.host.rules.ArrayTask = "70", "3"
	b.program(t, "scontrol", `if [ "$*" = "-o show job 71" ]; then echo asked >> "$LOG"; cat "${LOG%log}record"; else echo ran >> "$LOG"; fi`)
	b.program(t, "scancel", `echo ran >> "$LOG"`)
	for _, c := range []struct{ record, line, log, refused string }{
		{"JobId=71 ArrayJobId=70 ArrayTaskId=3 JobName=x", "scancel 70_3", "asked ran", ""},
		{"JobId=71 ArrayJobId=70 ArrayTaskId=3 JobName=x", "scancel -s USR1 70", "asked ran", ""},
		{"JobId=71 ArrayJobId=70 ArrayTaskId=3 JobName=x", "scontrol requeue 70_3", "asked ran", ""},
		{"JobId=71 JobName=x Comment=ArrayJobId=70 ArrayTaskId=3 ", "scancel 70_3", "asked", "job 71 is not 70_3"},
		{"JobId=71 JobName=x", "scancel 70", "asked", "job 71 is not 70_3"},
		{"JobId=71 ArrayJobId=70 ArrayTaskId=33 JobName=x", "scontrol hold 70_3", "asked", "job 71 is not 70_3"},
		{"JobId=71 JobName=x\nJobId=71 ArrayJobId=70 ArrayTaskId=3 JobName=x", "scontrol update jobid=70_3 comment=x", "asked", "job 71 is not 70_3"},
		{"", "scancel 70_3", "asked", "Slurm does not say"},
		{"", "scancel 71", "ran", ""},
		{"", "scontrol requeue 71", "ran", ""},
		{"", "scancel 72", "", "not allowed"},
	} {
		os.Remove(b.dir + "/log")
		os.Remove(b.dir + "/record")
		if c.record != "" {
			os.WriteFile(b.dir+"/record", []byte(c.record+"\n"), 0o600)
		}
		words := strings.Fields(c.line)
		_, _, end := b.ran(t, asking(words[0], words[1:]...))
		if log := strings.Join(b.log(), " "); log != c.log || (end.Refused == "") != (c.refused == "") || !strings.Contains(end.Refused, c.refused) {
			t.Errorf("%s, %s: %q, %+v", c.line, c.record, log, end)
		}
	}
	b.host.rules.ArrayJob = "71" // an array's last task has its number, which nobody else has
	os.Remove(b.dir + "/log")
	if _, _, end := b.ran(t, asking("scancel", "71_3")); end.Refused != "" || strings.Join(b.log(), " ") != "ran" {
		t.Errorf("the last task: %v %+v", b.log(), end)
	}
	b.host.rules.Which, b.host.rules.ArrayJob = callAll, "70"
	os.Remove(b.dir + "/log")
	if _, _, end := b.ran(t, asking("scancel", "70_3")); end.Refused != "" || strings.Join(b.log(), " ") != "ran" {
		t.Errorf("all: %v %+v", b.log(), end)
	}
}
