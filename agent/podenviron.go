package main

import (
	"path/filepath"
	"strings"
)

// variable looks one up; of several the last counts, as for a shell.
func variable(environ []string, name string) string {
	value := ""
	for _, entry := range environ {
		if v, ok := strings.CutPrefix(entry, name+"="); ok {
			value = v
		}
	}
	return value
}

// without leaves variables out.
func without(environ []string, names ...string) []string {
	var rest []string
next:
	for _, entry := range environ {
		for _, name := range names {
			if strings.HasPrefix(entry, name+"=") {
				continue next
			}
		}
		rest = append(rest, entry)
	}
	return rest
}

func with(environ []string, name, value string) []string {
	return append(without(environ, name), name+"="+value)
}

// withHelpers is the script's environment with what makes the pods of its job one: our srun and scontrol first on the
// PATH (an image that brings Slurm's own has no cluster to ask), and the launchers of MPI told to reach other pods
// through us. What the user has set himself stays as it is.
func (p *pod) withHelpers(environ []string, start *startBody) []string {
	if start.Team == nil {
		return environ
	}
	path := variable(environ, "PATH")
	if path == "" {
		path = "/usr/local/bin:/usr/bin:/bin"
	}
	environ = with(environ, "PATH", p.config.bin+":"+path)
	environ = with(environ, teamVariable, filepath.Join(p.config.dir, teamFile))
	rsh := filepath.Join(p.config.bin, "spill-rsh")
	for _, v := range launcherVariables(rsh) {
		if !has(environ, v.name) {
			environ = append(environ, v.name+"="+v.value)
		}
	}
	return environ
}

type namedValue struct{ name, value string }

// launcherVariables. Open MPI inside Slurm would take plm slurm, so `srun … orted`: that step would hold every CPU of
// the job for as long as mpirun runs, and needs our srun to be found on whatever PATH the script has by then. rsh
// needs one path that is the same in every pod, and was measured to work. Its tree of daemons is kept flat, so that
// each is the child of one connection from mpirun's pod.
func launcherVariables(rsh string) []namedValue {
	return []namedValue{
		{"OMPI_MCA_plm", "rsh"}, // Open MPI 4
		{"OMPI_MCA_plm_rsh_agent", rsh},
		{"OMPI_MCA_plm_rsh_no_tree_spawn", "1"},
		{"PRTE_MCA_plm", "ssh"}, // Open MPI 5
		{"PRTE_MCA_plm_ssh_agent", rsh},
		{"PRTE_MCA_plm_ssh_no_tree_spawn", "1"},
		{"HYDRA_LAUNCHER", "ssh"}, // MPICH
		{"HYDRA_LAUNCHER_EXEC", rsh},
		{"HYDRA_BOOTSTRAP", "ssh"}, // its older name, and MVAPICH's
		{"HYDRA_BOOTSTRAP_EXEC", rsh},
		{"I_MPI_HYDRA_BOOTSTRAP", "ssh"}, // Intel MPI
		{"I_MPI_HYDRA_BOOTSTRAP_EXEC", rsh},
	}
}

func has(environ []string, name string) bool {
	for _, entry := range environ {
		if strings.HasPrefix(entry, name+"=") {
			return true
		}
	}
	return false
}
