package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"syscall"
)

// starterMain runs between fork and the script, in its process: it makes what slurmstepd would have made and
// becomes the script. Its stdout and stderr are the job's already; what main's own log should know goes to 4,
// and 5 is closed by exec.
func starterMain() int {
	const from, log, started, kept = 3, 4, 5, 6
	var order starterOrder
	input := os.NewFile(from, "order")
	if err := json.NewDecoder(bufio.NewReader(input)).Decode(&order); err != nil {
		fmt.Fprintf(os.Stderr, "slurmstepd: error: spill: %v\n", err)
		return 1
	}
	input.Close()
	closeOnExec(log, started) // main waits for the end of started
	if order.Keep {
		syscall.RawSyscall(syscall.SYS_FCNTL, kept, syscall.F_SETFD, 0)
	}
	environ, argv := asStrings(order.Environ), asStrings(order.Argv)
	enter(string(order.Cwd))
	environ = here(environ)
	cwd, _ := syscall.Getwd()
	path := lookUp(string(order.Path), cwd, environ)
	argv[0] = path         // as slurmstepd has it
	debug.SetGCPercent(-1) // from here on nothing may need memory that the limits do not leave
	if lowered := setLimits(order.Limits); len(lowered) > 0 {
		syscall.Write(log, []byte("main: limits lower than on the cluster: "+strings.Join(lowered, ", ")+"\n"))
	}
	syscall.Umask(int(order.Umask))
	err := syscall.Exec(path, argv, environ)
	errno, _ := err.(syscall.Errno)
	fmt.Fprintf(os.Stderr, "slurmstepd: error: %s\n", execError(path, errno))
	return int(errno) // slurmstepd's exit code, too
}

func asStrings(list []bytes64) []string {
	all := make([]string, len(list))
	for i, entry := range list {
		all[i] = string(entry)
	}
	return all
}

// lookUp finds a program as slurmstepd of 22.05 does: in the PATH that the process will have, not in ours (so nowhere
// after an --export that leaves PATH out), whether it may be executed or not. What is nowhere is left as it is, so it may
// lie in the working directory; if not, execve says so.
func lookUp(name, cwd string, environ []string) string {
	switch {
	case strings.HasPrefix(name, "/"):
		return name
	case strings.HasPrefix(name, "."):
		return cwd + "/" + name
	}
	for dir := range strings.SplitSeq(variable(environ, "PATH"), ":") {
		path := dir + "/" + name
		if info, err := os.Stat(path); dir != "" && err == nil && !info.IsDir() {
			return path
		}
	}
	return name
}

// closeOnExec leaves the script with 0, 1 and 2, also of what a container runtime may have left open in process 1.
func closeOnExec(fds ...int) {
	const closeRange, first, last, cloexec = 436, 3, 1<<32 - 1, 4
	if _, _, errno := syscall.RawSyscall(closeRange, first, last, cloexec); errno == 0 {
		return
	}
	for _, fd := range fds { // a kernel before 5.11
		syscall.CloseOnExec(fd)
	}
}

// enter is slurmstepd's way with a directory that is not there.
func enter(dir string) {
	err := syscall.Chdir(dir)
	if err == nil {
		return
	}
	fmt.Fprintf(os.Stderr, "slurmstepd: error: couldn't chdir to `%s': %s: going to /tmp instead\n", dir, cText(err))
	if err := syscall.Chdir("/tmp"); err != nil {
		fmt.Fprintf(os.Stderr, "slurmstepd: error: couldn't chdir to /tmp either. dying.\n")
		os.Exit(4)
	}
}

// execError names the interpreter when it is that which is missing in this image.
func execError(path string, errno syscall.Errno) string {
	if errno == syscall.ENOENT {
		if interpreter := interpreterOf(path); interpreter != "" {
			return fmt.Sprintf("execve(): bad interpreter(%s): %s", interpreter, cText(errno))
		}
	}
	return fmt.Sprintf("execve(): %s: %s", path, cText(errno))
}

func interpreterOf(path string) string {
	file, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer file.Close()
	line := make([]byte, 256)
	n, _ := file.Read(line)
	text, ok := strings.CutPrefix(string(line[:n]), "#!")
	if !ok {
		return ""
	}
	text, _, _ = strings.Cut(text, "\n")
	return strings.TrimLeft(text, " \t")
}

// cText is strerror(3)'s text for the errors met here; Go writes them in small letters.
func cText(err error) string {
	text := err.Error()
	return strings.ToUpper(text[:1]) + text[1:]
}
