package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestScratchAndPidAreOfThisMachine(t *testing.T) {
	made := filepath.Join(t.TempDir(), "slurm.17", "tmp")
	script := "#!/bin/sh\n[ \"$SLURM_TASK_PID\" = $$ ] && echo own\ntest -d \"$TMPDIR\" && echo \"$TMPDIR\"\necho \"$SLURM_TMPDIR\"\n"
	stdout, stderr, _ := podRun(t, script, func(s *startBody) {
		s.Env.Set = map[string]string{"TMPDIR": made, "SLURM_TMPDIR": "/proc/no/such", "SLURM_TASK_PID": "1"}
	})
	if lines := strings.Fields(stdout); !slices.Equal(lines, []string{"own", made, "/tmp"}) || stderr != "" {
		t.Fatalf("%q %q", lines, stderr)
	}
}

func TestADirectoryThatIsHereIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	for _, value := range []string{dir, "", "relative/dir"} {
		if scratch(value) != value {
			t.Errorf("%q became %q", value, scratch(value))
		}
	}
}
