package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// taskPrologMain is run by slurmstepd as the user, before the batch script. It puts the stand-in in front of the
// script, or ends by 1, which makes slurmstepd run nothing: every step on a burst node that is not a batch step
// ends here. It trusts no variable, no PATH and no shell; all it acts on is root's.
func taskPrologMain() int {
	dir, err := ownDir()
	if err != nil {
		return failClosed(err)
	}
	config, err := readHostConfig(filepath.Join(dir, "spill.json"), 0)
	if err != nil {
		return failClosed(err)
	}
	if err := handOver(dir, config, realProc, os.Getppid()); err != nil {
		return failClosed(err)
	}
	return chain(config.ChainTaskProlog)
}

func handOver(dir string, config hostConfig, proc procFS, parent int) error {
	job, err := proc.stepAbove(parent)
	if err != nil {
		return fmt.Errorf("only batch scripts run in a burst partition: %w", err)
	}
	line, err := standinLine(dir)
	if err != nil {
		return err
	}
	scripts, err := findScripts(config.SpoolDirs, job)
	if err != nil {
		return err
	}
	user, handed := uint32(os.Getuid()), 0
	for _, script := range scripts {
		if leftBehind(script, user) {
			continue
		}
		if err := prependLine(script, line, proc.owner, user); err != nil {
			return err
		}
		handed++
	}
	if handed == 0 {
		return fmt.Errorf("no script of job %d that uid %d may run under %s", job, user, strings.Join(config.SpoolDirs, " "))
	}
	return nil
}

// failClosed tells the owner why: TaskProlog's stderr reaches nobody, but its stdout's lines that begin with "print"
// slurmstepd writes to the job's output, also when it ends by 1 (seen on 22.05.8).
func failClosed(err error) int {
	fmt.Printf("print spillway: %s; nothing was run\n", strings.ReplaceAll(err.Error(), "\n", " "))
	return 1
}

// chain runs the site's own TaskProlog with what slurmstepd gave us, so that its exports are not lost.
func chain(path string) int {
	if path == "" {
		return 0
	}
	command := exec.Command(path)
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := command.Run()
	var ended *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &ended) && ended.ExitCode() > 0:
		return ended.ExitCode()
	default:
		return failClosed(fmt.Errorf("the site's TaskProlog %s: %w", path, err))
	}
}
