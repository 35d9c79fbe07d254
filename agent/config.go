package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// hostConfig is spill.json beside the executable on a burst host. TaskProlog and stand-in run as the user and
// trust nothing that a user can write, so this file is root's, and they find it by their own executable.
type hostConfig struct {
	// RelaySocket is the relay's unix socket.
	RelaySocket string `json:"relaySocket"`
	// SpoolDirs are the slurmds' SlurmdSpoolDir as in slurm.conf: %n is a node's name, %h the host's.
	SpoolDirs []string `json:"spoolDirs"`
	// ChainTaskProlog is the site's own TaskProlog, run after ours.
	ChainTaskProlog string `json:"chainTaskProlog"`
	// ScriptCommands is which of Slurm's programs the stand-in runs for a script: none, own or all [callrules.go].
	ScriptCommands string `json:"scriptCommands"`
	// SlurmBin is where Slurm's programs lie; empty: on the job's PATH, or where they usually are.
	SlurmBin string      `json:"slurmBin"`
	Relay    relayConfig `json:"relay"`
	// Login is of a host where users log in, which has no relay.
	Login loginConfig `json:"login"`
}

type loginConfig struct {
	// Socket is where users are told apart.
	Socket string `json:"socket"`
	relayConfig
}

type relayConfig struct {
	// Gateway is host:port of the gateway's listener for relays.
	Gateway string `json:"gateway"`
	// Cert and Key are this host's; CA signs the gateway's. PEM files.
	Cert       string `json:"cert"`
	Key        string `json:"key"`
	CA         string `json:"ca"`
	ServerName string `json:"serverName"`
	// MaxPerUser and MaxTotal bound the connections held open at once; 0 = the default.
	MaxPerUser int `json:"maxPerUser"`
	MaxTotal   int `json:"maxTotal"`
}

const (
	defaultRelaySocket = "/run/spill/relay.sock"
	defaultLoginSocket = "/run/spillway-login/login.sock"
)

// Slurm's own default, and Debian's; a host of several slurmds has %n in it.
var defaultSpoolDirs = []string{"/var/spool/slurmd", "/var/spool/slurmd/%n", "/var/spool/slurmd.%n", "/var/lib/slurm/slurmd"}

// ownDir is where this executable lies. /proc/self/exe cannot be forged by argv or environment.
func ownDir() (string, error) {
	path, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return "", err
	}
	return filepath.Dir(strings.TrimSuffix(path, " (deleted)")), nil
}

// readHostConfig refuses a file that anyone but owner (root, outside of tests) may change.
func readHostConfig(path string, owner uint32) (hostConfig, error) {
	config := hostConfig{RelaySocket: defaultRelaySocket, SpoolDirs: defaultSpoolDirs, ScriptCommands: callOwn, Login: loginConfig{Socket: defaultLoginSocket}}
	if err := trustedDir(filepath.Dir(path), owner); err != nil {
		return config, err
	}
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return config, err
	}
	defer file.Close()
	if err := trusted(file, owner); err != nil {
		return config, err
	}
	text, err := io.ReadAll(io.LimitReader(file, 1<<20))
	if err != nil {
		return config, err
	}
	if err := json.Unmarshal(text, &config); err != nil {
		return config, fmt.Errorf("%s: %w", path, err)
	}
	if !slices.Contains([]string{callNone, callOwn, callAll}, config.ScriptCommands) {
		return config, fmt.Errorf("%s: scriptCommands is none, own or all, not %q", path, config.ScriptCommands)
	}
	return config, nil
}

func trusted(file *os.File, owner uint32) error {
	var st syscall.Stat_t
	if err := syscall.Fstat(int(file.Fd()), &st); err != nil {
		return err
	}
	if st.Mode&syscall.S_IFMT != syscall.S_IFREG {
		return fmt.Errorf("%s: not a regular file", file.Name())
	}
	return onlyWritableBy(file.Name(), &st, owner)
}

// trustedDir: whoever may write the directory may put another file in the place of a trusted one.
func trustedDir(dir string, owner uint32) error {
	var st syscall.Stat_t
	if err := syscall.Lstat(dir, &st); err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	if st.Mode&syscall.S_IFMT != syscall.S_IFDIR {
		return fmt.Errorf("%s: not a directory", dir)
	}
	return onlyWritableBy(dir, &st, owner)
}

func onlyWritableBy(name string, st *syscall.Stat_t, owner uint32) error {
	if st.Uid != owner {
		return fmt.Errorf("%s: belongs to uid %d instead of %d", name, st.Uid, owner)
	}
	if st.Mode&0o022 != 0 {
		return fmt.Errorf("%s: writable for others (mode %#o); run chmod go-w", name, st.Mode&0o777)
	}
	return nil
}
