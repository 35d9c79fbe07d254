package main

import (
	"bufio"
	"bytes"
	"context"
	"debug/elf"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// Which programs are Open MPI's, and so want mpirun (srunmpirun.go). One that says so in its own header is known by that. What
// stands in front of one is followed: a script by its first line and its words, `sh -c`, what runs another program after its own
// options, and Python by whether the script imports mpi4py and that is Open MPI's. It is a guess where a header is not, and
// `--mpi` decides without one: a program that is missed would be alone in each of its tasks, without a word.

const (
	// mostFollowed is how deep a program stands behind others.
	mostFollowed = 8
	// mostScript is what is read of a script.
	mostScript = 256 << 10
	// mostWords are looked up in all.
	mostWords = 5_000
)

var (
	pythons = regexp.MustCompile(`^(python|pypy)[0-9.]*$`)
	shells  = regexp.MustCompile(`^(ba|da|z|k|mk)?sh$`)
	// runners start what comes behind their own options.
	runners = regexp.MustCompile(`^(env|nice|ionice|time|timeout|taskset|numactl|stdbuf|setsid|nohup|chrt|catchsegv|perf|strace|ltrace|valgrind|gdb|nsys|ncu|exec|command)$`)
	// launchers bring the processes of what comes behind them together themselves.
	launchers = regexp.MustCompile(`^(mpirun|mpiexec(\.[a-z]+)?|orterun|prterun|prun|srun|spill-rsh)$`)
	// importsMPI in Python, as mpi4py's own manual has it, or by what rests on it.
	importsMPI = regexp.MustCompile(`(?m)^\s*(from|import)\s+mpi4py\b`)
	separators = regexp.MustCompile(`[\s;&|()<>"'` + "`" + `{}]+`)
)

// isOpenMPI looks at what each of the step's tasks runs.
func (s *srun) isOpenMPI() bool {
	switch {
	case s.o.mpi == "openmpi" || strings.HasPrefix(s.o.mpi, "pmix"):
		return true
	case s.o.mpi == "none":
		return false
	}
	depth := mostFollowed
	if len(s.plan.TaskNode) == 1 { // one alone has nobody to find, and what runs mpirun itself must not be run by another
		depth = 1
	}
	for _, command := range s.plan.Commands {
		if s.startsOpenMPI(command, depth) {
			return true
		}
	}
	return false
}

func (s *srun) startsOpenMPI(argv []string, depth int) bool {
	if s.looked++; len(argv) == 0 || depth == 0 || s.looked > mostWords {
		return false
	}
	path := lookUp(argv[0], s.cwd, s.environ)
	if isOpenMPIProgram(path) {
		return true
	}
	if depth == 1 {
		return false
	}
	switch name := filepath.Base(path); {
	case pythons.MatchString(name):
		return s.pythonImportsOpenMPI(path, argv[1:])
	case shells.MatchString(name):
		return s.shellStartsOpenMPI(argv[1:], depth)
	case runners.MatchString(name):
		return s.anyStartsOpenMPI(argv[1:], depth)
	}
	front, rest, _ := bytes.Cut(beginOf(path), []byte("\n"))
	line, isScript := bytes.CutPrefix(front, []byte("#!"))
	if !isScript || len(rest) == 0 {
		return false
	}
	// `#!/usr/bin/env python3` and its kin; the kernel makes one word of what follows the first.
	return s.startsOpenMPI(append(append(strings.Fields(string(line)), path), argv[1:]...), depth-1)
}

// anyStartsOpenMPI: which of the words is the program, only the runner's own options say.
func (s *srun) anyStartsOpenMPI(words []string, depth int) bool {
	for i, word := range words {
		if launchers.MatchString(filepath.Base(word)) {
			return false
		}
		if !strings.HasPrefix(word, "-") && !strings.Contains(word, "=") && s.startsOpenMPI(words[i:], depth-1) {
			return true
		}
	}
	return false
}

func (s *srun) shellStartsOpenMPI(args []string, depth int) bool {
	for i, arg := range args {
		if strings.HasPrefix(arg, "-") && !strings.HasPrefix(arg, "--") && strings.Contains(arg, "c") && i+1 < len(args) {
			return s.textStartsOpenMPI(args[i+1], args[min(i+3, len(args)):], depth)
		}
		if !strings.HasPrefix(arg, "-") {
			return s.textStartsOpenMPI(string(beginOf(s.inCwd(arg))), args[i+1:], depth)
		}
	}
	return false
}

// textStartsOpenMPI looks at each line of a shell script from each of its words on; where it runs its own arguments, at those.
func (s *srun) textStartsOpenMPI(text string, args []string, depth int) bool {
	if (strings.Contains(text, "$@") || strings.Contains(text, "$*")) && s.anyStartsOpenMPI(args, depth) {
		return true
	}
	lines := bufio.NewScanner(strings.NewReader(text))
	lines.Buffer(nil, mostScript+1)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if strings.HasPrefix(line, "#") {
			continue
		}
		if s.anyStartsOpenMPI(strings.Fields(separators.ReplaceAllString(line, " ")), depth) {
			return true
		}
	}
	return false
}

func (s *srun) inCwd(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(s.cwd, path)
}

func (s *srun) pythonImportsOpenMPI(python string, args []string) bool {
	for i, arg := range args {
		switch {
		case arg == "-X" || arg == "-W": // with a word of their own, which names no file
		case arg == "-m" && i+1 < len(args):
			module, _, _ := strings.Cut(args[i+1], ".")
			return module == "mpi4py" && s.mpi4pyIsOpenMPI(python)
		case arg == "-c" && i+1 < len(args):
			return strings.Contains(args[i+1], "mpi4py") && s.mpi4pyIsOpenMPI(python)
		case !strings.HasPrefix(arg, "-"):
			if text := beginOf(s.inCwd(arg)); len(text) > 0 {
				return importsMPI.Match(text) && s.mpi4pyIsOpenMPI(python)
			}
		}
	}
	return false
}

// askMPI4py has Python say where the parts of mpi4py lie, without any MPI being begun.
const askMPI4py = `import glob, os, mpi4py; print("\n".join(glob.glob(os.path.join(os.path.dirname(mpi4py.__file__), "MPI*.so"))))`

// mpi4pyIsOpenMPI by what it is linked with. The wheels on PyPI bring a part for each MPI and take the one that is there: then mpirun tells.
func (s *srun) mpi4pyIsOpenMPI(python string) bool {
	told, err := s.answerOf(python, "-c", askMPI4py)
	if err != nil {
		return false
	}
	open, other := false, false
	for _, path := range strings.Fields(told) {
		is := isOpenMPIProgram(path)
		open, other = open || is, other || !is && imports(path, anyMPILibrary)
	}
	if open != other {
		return open
	}
	version, err := s.answerOf(lookUp("mpirun", s.cwd, s.environ), "--version")
	return err == nil && strings.Contains(version, "Open MPI")
}

func (s *srun) answerOf(program string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Env = s.cwd, s.environ
	out, err := cmd.Output()
	return string(out), err
}

// beginOf reads what a script may say; nothing of what is no file or cannot be read.
func beginOf(path string) []byte {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return nil
	}
	file, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer file.Close()
	text, _ := io.ReadAll(io.LimitReader(file, mostScript))
	return text
}

// openMPILibraries are those that a program built with Open MPI names: version 40 is that of Open MPI 4 and 5.
var openMPILibraries = regexp.MustCompile(`^lib(mpi|mpi_cxx|mpi_mpifh|mpi_usempi|mpi_usempif08|mpi_usempi_ignore_tkr|oshmem)\.so\.40$`)

var anyMPILibrary = regexp.MustCompile(`^libmpi[a-z_]*\.so`)

func isOpenMPIProgram(path string) bool { return imports(path, openMPILibraries) }

func imports(path string, library *regexp.Regexp) bool {
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() { // a pipe would hold us
		return false
	}
	file, err := elf.Open(path)
	if err != nil {
		return false
	}
	defer file.Close()
	libraries, err := file.ImportedLibraries()
	if err != nil {
		return false
	}
	for _, name := range libraries {
		if library.MatchString(name) {
			return true
		}
	}
	return false
}
