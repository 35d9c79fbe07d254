package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// srunOutput is where tasks' outputs go on srun's side, and where their input comes from.
type srunOutput struct {
	label      int // digits of the greatest task, 0 for no label
	unbuffered bool
	targets    [2]target // stdout, stderr
	input      io.Reader // nil: no task gets any
	inputTask  int       // -1: all get it
	files      []*os.File
}

// target is nil for none; only -1 for all tasks.
type target struct {
	to   io.Writer
	only int
}

// perTask says that a file is one of each task's own, opened on its node.
func perTask(pattern string) bool {
	if strings.HasPrefix(pattern, `\\`) {
		return false
	}
	for i := strings.IndexByte(pattern, '%'); i >= 0 && i < len(pattern); i++ {
		if pattern[i] != '%' {
			continue
		}
		for i++; i < len(pattern) && pattern[i] >= '0' && pattern[i] <= '9'; i++ {
		}
		if i < len(pattern) && strings.IndexByte("tnN", pattern[i]) >= 0 {
			return true
		}
	}
	return false
}

func newSrunOutput(o *srunOptions, p *stepPlan) (*srunOutput, error) {
	out := &srunOutput{unbuffered: o.unbuffered, inputTask: -1, input: os.Stdin}
	if o.label {
		out.label = len(strconv.Itoa(len(p.TaskNode) - 1))
	}
	if err := out.openInput(o.in, p); err != nil {
		return nil, err
	}
	patterns := []string{o.out, o.err}
	if o.err == "" && o.out != "" {
		patterns[1] = o.out // one file for both, as srun has it
	}
	p.Append = o.openMode == "append" || o.openMode == "a"
	for i, pattern := range patterns {
		var err error
		own := []io.Writer{&lockedWriter{to: os.Stdout}, &lockedWriter{to: os.Stderr}}[i]
		switch {
		case i == 1 && pattern == patterns[0] && pattern != "":
			out.targets[1] = out.targets[0]
			p.Files[2] = p.Files[1]
		default:
			out.targets[i], p.Files[1+i], err = out.open(pattern, own, p)
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func taskNumber(text string, p *stepPlan) (int, bool) {
	n, err := strconv.Atoi(text)
	return n, err == nil && n >= 0 && n < len(p.TaskNode)
}

func (s *srunOutput) open(pattern string, own io.Writer, p *stepPlan) (t target, onNode string, err error) {
	task, isTask := taskNumber(pattern, p)
	switch {
	case pattern == "" || pattern == "all":
		return target{own, -1}, "", nil
	case pattern == "none":
		return target{nil, -1}, "/dev/null", nil
	case isTask:
		return target{own, task}, "", nil
	case perTask(pattern):
		return target{nil, -1}, pattern, nil
	}
	how := os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	if p.Append {
		how = os.O_WRONLY | os.O_CREATE | os.O_APPEND
	}
	file, err := os.OpenFile(p.fileFor(pattern, 0), how, 0o666)
	if err != nil {
		return target{}, "", fmt.Errorf("Could not open stdout file: %w", err)
	}
	s.files = append(s.files, file)
	return target{&lockedWriter{to: file}, -1}, "", nil
}

func (s *srunOutput) openInput(pattern string, p *stepPlan) error {
	task, isTask := taskNumber(pattern, p)
	switch {
	case pattern == "" || pattern == "all":
	case pattern == "none":
		s.input = nil
		p.Files[0] = os.DevNull
	case isTask:
		s.inputTask = task
	case perTask(pattern):
		s.input = nil
		p.Files[0] = pattern
	default:
		file, err := os.Open(p.fileFor(pattern, 0))
		if err != nil {
			return fmt.Errorf("Could not open stdin file: %w", err)
		}
		s.input = file
		s.files = append(s.files, file)
	}
	return nil
}

func (s *srunOutput) close() {
	for _, file := range s.files {
		file.Close()
	}
}

// lockedWriter lets whole lines of one task stand together.
type lockedWriter struct {
	mu sync.Mutex
	to io.Writer
}

func (w *lockedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.to.Write(p)
}

// sink is one output of one task, cut into lines.
type sink struct {
	out    *srunOutput
	to     io.Writer
	prefix []byte
	line   []byte
}

// longestLine is passed on as it is rather than kept.
const longestLine = 64 << 10

func (s *srunOutput) sink(task, channel int) *sink {
	t := s.targets[channel-stOut]
	k := &sink{out: s, to: t.to}
	if t.only >= 0 && t.only != task {
		k.to = nil
	}
	if s.label > 0 {
		k.prefix = fmt.Appendf(nil, "%*d: ", s.label, task)
	}
	return k
}

func (k *sink) write(piece []byte) {
	if k.to == nil {
		return
	}
	if k.out.unbuffered && k.prefix == nil {
		k.to.Write(piece)
		return
	}
	k.line = append(k.line, piece...)
	end := bytes.LastIndexByte(k.line, '\n') + 1
	if end == 0 && len(k.line) > longestLine {
		end = len(k.line)
	}
	k.to.Write(k.labelled(k.line[:end]))
	k.line = slices.Delete(k.line, 0, end)
}

func (k *sink) labelled(lines []byte) []byte {
	if k.prefix == nil || len(lines) == 0 {
		return lines
	}
	var out []byte
	for line := range bytes.Lines(lines) {
		out = append(append(out, k.prefix...), line...)
	}
	if out[len(out)-1] != '\n' { // another task's label must begin a line
		out = append(out, '\n')
	}
	return out
}

// end writes what came without a newline.
func (k *sink) end() {
	if k.to != nil && len(k.line) > 0 {
		k.to.Write(k.labelled(k.line))
	}
	k.line = nil
}
