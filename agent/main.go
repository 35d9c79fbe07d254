// spill is everything of Spillway that runs beside a user's job: on the burst host TaskProlog, stand-in and
// relay; on a login host what tells its users apart; in the pod its process 1 and the keeper. One static executable, and each name it is called by is a
// program with a file of its own here. The wire between them is ../protocol/spill.md.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
)

// version is set at build time: -ldflags "-X main.version=…".
var version = "dev"

// programs are the names under which `spill install` links the executable.
var programs = map[string]func() int{
	"spill-taskprolog": taskPrologMain,
	"spill-standin":    standinMain,
	"spill-relay":      relayMain,
	"spill-login":      loginMain,
	"spill-main":       podMain,
	"spill-keeper":     keeperMain,
	"spill-rsh":        rshMain,
	"spill-task":       taskMain,
	"srun":             srunMain,
	"scontrol":         scontrolMain,
	"sbcast":           refusedMain("sbcast"),
	"sattach":          refusedMain("sattach"),
	"salloc":           refusedMain("salloc"),
	"sbatch":           slurmMain("sbatch"),
	"scancel":          slurmMain("scancel"),
	"sacctmgr":         slurmMain("sacctmgr"),
	"squeue":           slurmMain("squeue"),
	"sacct":            slurmMain("sacct"),
	"sinfo":            slurmMain("sinfo"),
	"sprio":            slurmMain("sprio"),
	"sshare":           slurmMain("sshare"),
	"sstat":            slurmMain("sstat"),
}

func main() {
	// Each of these lives for as long as a job, hundreds on one small host: buffers are reused, and what
	// garbage there is goes early.
	debug.SetGCPercent(10)
	os.Exit(dispatch(filepath.Base(os.Args[0])))
}

func dispatch(name string) int {
	if run, ok := programs[name]; ok {
		return run()
	}
	switch name {
	case starterName:
		return starterMain()
	case witnessName:
		return witnessMain()
	}
	switch {
	case (len(os.Args) == 3 || len(os.Args) == 4) && os.Args[1] == "install":
		return installMain(os.Args[2], os.Args[3:]...)
	case len(os.Args) == 2 && os.Args[1] == "version":
		fmt.Printf("spill %s, protocol 1\n", version)
		return 0
	case len(os.Args) > 1:
		// `spill spill-keeper …` is spill-keeper, for images where only the one file can be mounted.
		if run, ok := programs[os.Args[1]]; ok {
			os.Args = os.Args[1:]
			return run()
		}
	}
	complain("usage: spill install DIR [ETC] | version | spill-main | spill-keeper | spill-relay [-config FILE] | spill-login [-config FILE]")
	return 2
}

// complain prints a line for the person who reads this process's stderr.
func complain(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "spillway: "+format+"\n", args...)
}
