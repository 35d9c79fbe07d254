package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"spill/startlimits"
	"strings"
	"syscall"
)

// Linux's numbers, which package syscall knows only in part. (mips and sparc count otherwise; neither is built.)
var limitNumbers = map[string]int{
	"cpu": 0, "fsize": 1, "data": 2, "stack": 3, "core": 4, "rss": 5, "nproc": 6, "nofile": 7, "memlock": 8, "as": 9,
	"locks": 10, "sigpending": 11, "msgqueue": 12, "nice": 13, "rtprio": 14, "rttime": 15,
}

const noLimit = ^uint64(0)

func readLimits() rlimits {
	limits := rlimits{}
	for name, number := range limitNumbers {
		var l syscall.Rlimit
		if syscall.Getrlimit(number, &l) != nil {
			continue
		}
		if name == "nofile" && startlimits.Known {
			l.Cur, l.Max = startlimits.NoFile[0], startlimits.NoFile[1]
		}
		limits[name] = []int64{fromLimit(l.Cur), fromLimit(l.Max)}
	}
	return limits
}

// setLimits sets what may be set here: a pod's hard limit is not to be raised, so its value takes the place of
// a higher one. It gives the names of those that became lower than asked.
func setLimits(limits rlimits) (lowered []string) {
	for _, name := range inOrder(limits) {
		want := limits[name]
		number, known := limitNumbers[name]
		if !known || len(want) != 2 {
			continue
		}
		asked := syscall.Rlimit{Cur: toLimit(want[0]), Max: toLimit(want[1])}
		if syscall.Setrlimit(number, &asked) == nil {
			continue
		}
		var now syscall.Rlimit
		if err := syscall.Getrlimit(number, &now); err != nil {
			lowered = append(lowered, fmt.Sprintf("%s: %v", name, err))
			continue
		}
		less := syscall.Rlimit{Max: min(asked.Max, now.Max)}
		less.Cur = min(asked.Cur, less.Max)
		if err := syscall.Setrlimit(number, &less); err != nil {
			lowered = append(lowered, fmt.Sprintf("%s: %v", name, err))
		} else if less.Cur < asked.Cur {
			// The soft limit is what a program runs into; a hard limit that could not be raised above it is no loss.
			lowered = append(lowered, fmt.Sprintf("%s: %d instead of %d", name, fromLimit(less.Cur), want[0]))
		}
	}
	return lowered
}

// outliveLimits: the job's limit of processor time is its own, not for the hours that a stand-in forwards.
func outliveLimits() {
	var l syscall.Rlimit
	if cpu := limitNumbers["cpu"]; syscall.Getrlimit(cpu, &l) == nil {
		l.Cur = l.Max
		syscall.Setrlimit(cpu, &l)
	}
}

// inOrder puts last what this process might run into itself before the script takes its place.
func inOrder(limits rlimits) []string {
	last := map[string]int{"data": 1, "as": 2}
	return slices.SortedFunc(maps.Keys(limits), func(a, b string) int {
		return cmp.Or(cmp.Compare(last[a], last[b]), cmp.Compare(a, b))
	})
}

func fromLimit(n uint64) int64 {
	if n > maxOffset { // "infinite", and numbers that JSON cannot hold
		return -1
	}
	return int64(n)
}

func toLimit(n int64) uint64 {
	if n < 0 {
		return noLimit
	}
	return uint64(n)
}

// matches compares a name with a pattern of `*` and `?`.
func matches(pattern, name string) bool {
	head, tail, star := strings.Cut(pattern, "*")
	if !star {
		return len(pattern) == len(name) && sameButMarks(pattern, name)
	}
	if len(name) < len(head) || !sameButMarks(head, name[:len(head)]) {
		return false
	}
	for rest := name[len(head):]; ; rest = rest[1:] {
		if matches(tail, rest) {
			return true
		}
		if rest == "" {
			return false
		}
	}
}

func sameButMarks(pattern, name string) bool {
	for i := range len(pattern) {
		if pattern[i] != '?' && pattern[i] != name[i] {
			return false
		}
	}
	return true
}
