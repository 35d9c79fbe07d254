package main

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// multiProgLine is `0-2,5 program arguments` of a file of --multi-prog, or `*` for the rest.
type multiProgLine struct {
	tasks []int // nil: the rest
	args  string
}

// multiProg reads the file of --multi-prog as Slurm 22.05 does (src/slurmd/slurmstepd/multi_prog.c, and measured), and
// what follows it on the command line, which every task gets as it stands. Where nobody has said how many tasks there are,
// a file that names a higher one makes more of them. One command a task.
func multiProg(command []string, ntasks int, said bool) ([][]string, error) {
	text, err := os.ReadFile(command[0])
	if err != nil {
		return nil, srunFault(1, "Could not open multi_prog config file %s", command[0])
	}
	lines, ntasks, err := multiProgLines(command[0], string(text), ntasks, said)
	if err != nil {
		return nil, err
	}
	commands := make([][]string, ntasks)
	for _, line := range lines {
		tasks := line.tasks
		for task := 0; line.tasks == nil && task < ntasks; task++ {
			tasks = append(tasks, task)
		}
		for offset, task := range tasks {
			if commands[task] != nil {
				continue
			}
			words, whole := multiProgWords(line.args, task, offset)
			if !whole {
				return nil, srunFault(1, "Program arguments specification format invalid: %s.", line.args)
			}
			commands[task] = append(words, command[1:]...)
		}
	}
	for task, words := range commands {
		if words == nil {
			return nil, srunFault(1, "Configuration file %s invalid, no record for task id %d", command[0], task)
		}
	}
	return commands, nil
}

// multiProgLines are the file's, without comments; one that ends in a backslash goes on in the next.
func multiProgLines(file, text string, ntasks int, said bool) ([]multiProgLine, int, error) {
	var lines []multiProgLine
	star, known := false, map[int]bool{}
	rows := strings.Split(text, "\n")
	for number := 0; number < len(rows); number++ {
		invalid := func(why string) error {
			fault := fmt.Sprintf("srun: error: Line %d of configuration file %s invalid\n", number+1, file)
			if why != "" {
				fault = "srun: error: " + why + "\n" + fault
			}
			return &srunError{fault, 1}
		}
		row := strings.TrimLeft(rows[number], " \t\r\v\f")
		if row == "" || row[0] == '#' {
			continue
		}
		ranks, args := row, ""
		if blank := strings.IndexAny(row, " \t\r\v\f"); blank >= 0 {
			ranks, args = row[:blank], strings.TrimLeft(row[blank:], " \t\r\v\f")
		}
		if args == "" {
			return nil, 0, invalid("")
		}
		line := multiProgLine{args: args}
		if ranks == "*" {
			star, said = true, true
		} else {
			if star {
				return nil, 0, invalid("Task range specification with asterisk must be last")
			}
			var why string
			if line.tasks, why = taskSet(ranks, known); why != "" {
				return nil, 0, invalid(why)
			}
			highest := slices.Max(append(line.tasks, 0))
			if highest >= ntasks && said {
				return nil, 0, invalid(fmt.Sprintf("Invalid task id, %d >= ntasks", highest))
			}
			ntasks = max(ntasks, highest+1)
		}
		for strings.HasSuffix(rows[number], `\`) && number+1 < len(rows) {
			number++
			line.args += "\n" + rows[number]
		}
		lines = append(lines, line)
	}
	return lines, ntasks, nil
}

// mostTasks is more than any step has: a file that names a higher one is a mistake, not a wish for memory.
const mostTasks = 1 << 20

// taskSet reads `0-2,5`, adds it to those that are known, and says what is wrong with it.
func taskSet(text string, known map[int]bool) (tasks []int, why string) {
	tasks = []int{}
	for span := range strings.SplitSeq(text, ",") {
		if span == "" {
			continue
		}
		low, high, isRange := strings.Cut(span, "-")
		if !isRange {
			high = low
		}
		from, err := strconv.Atoi(low)
		to, err2 := strconv.Atoi(high)
		switch {
		case err != nil || err2 != nil || to >= mostTasks:
			return nil, fmt.Sprintf("Invalid task range specification (%s)", span)
		case from > to:
			return nil, fmt.Sprintf("Invalid task range, %d-%d", from, to)
		}
		for task := from; task <= to; task++ {
			if known[task] {
				return nil, fmt.Sprintf("Duplicate record for task %d", task)
			}
			known[task] = true
			tasks = append(tasks, task)
		}
	}
	return tasks, ""
}

// multiProgWords are a line's program and arguments for one task: `'` quotes, `\` takes the next character as it is and
// joins lines, %t is the task and %o its place in the line, and any other % goes with the character behind it. `"` is a
// character like any other. False: a quote does not end.
func multiProgWords(args string, task, offset int) (words []string, whole bool) {
	var word strings.Builder
	inWord := false
	for i := 0; i < len(args); i++ {
		switch c := args[i]; {
		case strings.IndexByte(" \t\r\v\f\n", c) >= 0:
			if inWord {
				words = append(words, word.String())
				word.Reset()
			}
			inWord = false
			continue
		case c == '\\':
			if i++; i < len(args) && args[i] != '\n' {
				word.WriteByte(args[i])
			}
		case c == '%':
			i++
			switch {
			case i == len(args):
			case args[i] == 't':
				word.WriteString(strconv.Itoa(task))
			case args[i] == 'o':
				word.WriteString(strconv.Itoa(offset))
			}
		case c == '\'':
			end := strings.IndexByte(args[i+1:], '\'')
			if end < 0 {
				return nil, false
			}
			word.WriteString(args[i+1 : i+1+end])
			i += 1 + end
		default:
			word.WriteByte(c)
		}
		inWord = true
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, true
}
