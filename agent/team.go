package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
)

// isHelper: a pod of a higher rank runs no script, only what the job's other pods ask it for.
func (s *startBody) isHelper() bool { return s.Team != nil && s.Team.Rank > 0 }

// teamKey is section 10: the pods of one attempt have it, nobody else, and no other attempt's pods have the same.
func teamKey(burstKey []byte, attempt string) []byte {
	h := hmac.New(sha256.New, burstKey)
	h.Write([]byte("spill team\n" + attempt))
	return h.Sum(nil)
}

// team is what the user's tools in a pod (srun, spill-rsh) know of the job's pods. It lies in a file of the user's,
// 0600 in a directory 0700, because those tools are his processes and have nothing of their own to be known by. So
// whatever runs as the user in one of the job's pods can start processes as the user in the job's other pods, as
// rank 0's script can anyway; it gives nothing on any other pod, any other uid, or any other attempt of the job.
type team struct {
	Rank  int        `json:"rank"`
	Hosts []hostBody `json:"hosts"`
	Port  int        `json:"port"`
	Key   string     `json:"key"`
	Bin   string     `json:"bin"` // the directory of this executable's names, the same in every pod
	// Calls: rank 0 has Slurm's programs run by the stand-in.
	Calls bool `json:"calls,omitempty"`
	// KillWaitMs is the site's KillWait: a step that is ended has so long between TERM and KILL.
	KillWaitMs int64 `json:"killWaitMs"`
}

const (
	teamVariable = "SPILL_TEAM" // names the file, for tools whose pod has another SPILL_DIR than usual
	teamFile     = "team.json"
)

// usualTeamFiles are looked at where a program has dropped the variable.
var usualTeamFiles = []string{"/spill-run/job/" + teamFile, "/spill/run/job/" + teamFile}

func teamOf(b *teamBody, key []byte, bin string) *team {
	return &team{Rank: int(b.Rank), Hosts: b.Hosts, Port: int(b.Port), Key: hex.EncodeToString(key), Bin: bin}
}

func (t *team) write(dir string) error {
	text, err := json.Marshal(t)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, teamFile), text, 0o600)
}

var errNoTeam = errors.New("not inside a job that Spillway runs: no " + teamFile + " (variable " + teamVariable + ")")

// readTeam is for the user's tools.
func readTeam() (*team, error) {
	paths := usualTeamFiles
	if path := os.Getenv(teamVariable); path != "" {
		paths = []string{path}
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		t := &team{}
		if err := json.Unmarshal(text, t); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if raw, err := hex.DecodeString(t.Key); err != nil || len(raw) != sha256.Size || len(t.Hosts) == 0 {
			return nil, fmt.Errorf("%s: not what spill-main writes", path)
		}
		return t, nil
	}
	return nil, errNoTeam
}

func (t *team) key() []byte {
	raw, _ := hex.DecodeString(t.Key)
	return raw
}

func (t *team) address(rank int) string {
	return net.JoinHostPort(t.Hosts[rank].Address, strconv.Itoa(t.Port))
}

// rankOf finds a pod by its name, or by its address, as MPI launchers may know it; -1 is none of this job's.
func (t *team) rankOf(host string) int {
	for rank, h := range t.Hosts {
		if h.Name == host || h.Address == host {
			return rank
		}
	}
	if host == "localhost" || host == "127.0.0.1" || host == "::1" {
		return t.Rank
	}
	return -1
}

func (t *team) names() []string {
	var names []string
	for _, h := range t.Hosts {
		names = append(names, h.Name)
	}
	return names
}
