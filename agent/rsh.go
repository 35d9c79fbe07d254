package main

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// rshMain is spill-rsh, what launchers of MPI call in the place of ssh: `spill-rsh [options] HOST command…` runs the
// command through a shell in another pod of the job, with this process's environment. Ends as the command, by 255
// where there is none.
func rshMain() int {
	host, command, err := rshArguments(os.Args[1:])
	if err != nil {
		fmt.Fprintf(os.Stderr, "spill-rsh: %v\n", err)
		return 255
	}
	t, err := readTeam()
	if err == nil && t.rankOf(host) < 0 {
		err = fmt.Errorf("%s is none of this job's nodes: %s", host, compressHosts(t.names()))
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "spill-rsh: %v\n", err)
		return 255
	}
	return rsh(t, t.rankOf(host), command)
}

// rshArguments reads ssh's options: those that mean nothing between the pods of one job are passed over.
func rshArguments(args []string) (host, command string, err error) {
	const withValue = "BbcDEeFIiJLlmOopQRSWw"
	for len(args) > 0 && strings.HasPrefix(args[0], "-") && args[0] != "-" {
		option := args[0]
		args = args[1:]
		if option == "--" {
			break
		}
		letter := option[1:2]
		if !strings.Contains(withValue, letter) {
			continue
		}
		value := option[2:]
		if value == "" {
			if len(args) == 0 {
				return "", "", fmt.Errorf("option -%s wants a value", letter)
			}
			value, args = args[0], args[1:]
		}
		if letter == "l" && !isOwnName(value) {
			return "", "", fmt.Errorf("-l %s: in a job's pods there is only its own user", value)
		}
	}
	if len(args) < 2 {
		return "", "", fmt.Errorf("usage: spill-rsh [ssh's options] HOST command…")
	}
	host = args[0]
	if user, name, named := strings.Cut(host, "@"); named {
		if host = name; !isOwnName(user) {
			return "", "", fmt.Errorf("%s@: in a job's pods there is only its own user", user)
		}
	}
	return host, strings.Join(args[1:], " "), nil
}

// isOwnName: without a name to compare with, another is not claimed.
func isOwnName(user string) bool {
	own := ownNames()
	return len(own) == 0 || slices.Contains(own, user)
}

func ownNames() []string {
	var own []string
	for _, name := range []string{"USER", "LOGNAME", "SLURM_JOB_USER"} {
		if v := os.Getenv(name); v != "" {
			own = append(own, v)
		}
	}
	return own
}

func rsh(t *team, rank int, command string) int {
	environ := nodeEnviron(os.Environ(), t.Hosts[rank].Name)
	call, err := t.call(rank, &runBody{
		Argv: asBytes([]string{"/bin/sh", "-c", command}), Cwd: bytes64(workingDirectory()),
		Umask: currentUmask(), Limits: readLimits(),
	}, environ)
	if err != nil {
		fmt.Fprintf(os.Stderr, "spill-rsh: %v\n", err)
		return 255
	}
	passSignals(call)
	go func() {
		buffer := make([]byte, stepChunk)
		for {
			n, err := os.Stdin.Read(buffer)
			if n > 0 && call.put(stIn, buffer[:n]) != nil {
				return
			}
			if err != nil {
				call.end(stIn)
				return
			}
		}
	}()
	var outputs sync.WaitGroup
	for channel, to := range map[int]io.Writer{stOut: os.Stdout, stErr: os.Stderr} {
		outputs.Go(func() { call.drain(channel, func(piece []byte) { to.Write(piece) }) })
	}
	ended, err := call.hear()
	if err != nil {
		fmt.Fprintf(os.Stderr, "spill-rsh: %s: %v\n", t.Hosts[rank].Name, err)
		return 255
	}
	outputs.Wait()
	return ended.number()
}

func passSignals(call *stepCall) {
	arrived := make(chan os.Signal, 16)
	signal.Notify(arrived, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2)
	go func() {
		for s := range arrived {
			call.send(tKill, killBody{Signo: int(s.(syscall.Signal))})
		}
	}()
}

// nodeEnviron is an environment on another node of the job: what names this node names that one.
func nodeEnviron(environ []string, node string) []string {
	for _, name := range []string{"SLURMD_NODENAME", "HOSTNAME"} {
		if has(environ, name) {
			environ = with(environ, name, node)
		}
	}
	return environ
}

func workingDirectory() string {
	dir, err := os.Getwd()
	if err != nil {
		return "/"
	}
	return dir
}

func currentUmask() int64 {
	mask := syscall.Umask(0o077)
	syscall.Umask(mask)
	return int64(mask)
}
