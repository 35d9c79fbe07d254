package main

import (
	"fmt"
	"os"
	"strings"
)

// here makes true of this process and this machine what the variables say of them; Slurm said it of the burst host.
func here(environ []string) []string {
	var result []string
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		switch name {
		case "SLURM_TASK_PID":
			continue
		case "TMPDIR", "SLURM_TMPDIR":
			entry = name + "=" + scratch(value)
		}
		result = append(result, entry)
	}
	// As slurmstepd's: the process that becomes the script.
	return append(result, fmt.Sprintf("SLURM_TASK_PID=%d", os.Getpid()))
}

// scratch is a directory for temporary files that is here: what the site's prolog made for the job on one of its nodes
// is made once more, and where the pod does not let us, /tmp is the pod's own.
func scratch(dir string) string {
	if dir == "" || !strings.HasPrefix(dir, "/") {
		return dir
	}
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return dir
	}
	if os.MkdirAll(dir, 0o700) == nil {
		return dir
	}
	return "/tmp"
}
