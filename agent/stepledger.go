package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// stepLedger is the part of slurmctld that a job's steps need: numbers from 0, and CPUs that parallel steps do not
// share unless they say so.
type stepLedger struct {
	total []int // by rank

	mu      sync.Mutex
	changed chan struct{} // closed and made anew when CPUs come back
	next    int
	held    map[int][]int // by step
}

// unknownCPUs is for a job whose environment does not say what it has: nothing is refused, whole nodes exclude each other.
const unknownCPUs = 1 << 20

func newStepLedger(perNode string, nodes int) *stepLedger {
	total, err := expandCounts(perNode)
	if err != nil || len(total) != nodes {
		total = slices.Repeat([]int{unknownCPUs}, nodes)
	}
	return &stepLedger{total: total, changed: make(chan struct{}), held: map[int][]int{}}
}

// expandCounts reads SLURM_JOB_CPUS_PER_NODE and its kin: `72(x2),36`.
func expandCounts(text string) ([]int, error) {
	var counts []int
	for part := range strings.SplitSeq(text, ",") {
		number, times, repeated := strings.Cut(strings.TrimSuffix(part, ")"), "(x")
		n, err := strconv.Atoi(number)
		if err != nil || n < 0 {
			return nil, fmt.Errorf("%q is no count of CPUs or tasks per node", text)
		}
		repeat := 1
		if repeated {
			if repeat, err = strconv.Atoi(times); err != nil || repeat < 1 || repeat > 1<<16 {
				return nil, fmt.Errorf("%q is no count of CPUs or tasks per node", text)
			}
		}
		counts = append(counts, slices.Repeat([]int{n}, repeat)...)
	}
	return counts, nil
}

// compressCounts is the way back.
func compressCounts(counts []int) string {
	var parts []string
	for i := 0; i < len(counts); {
		n := 1
		for i+n < len(counts) && counts[i+n] == counts[i] {
			n++
		}
		if n == 1 {
			parts = append(parts, strconv.Itoa(counts[i]))
		} else {
			parts = append(parts, fmt.Sprintf("%d(x%d)", counts[i], n))
		}
		i += n
	}
	return strings.Join(parts, ",")
}

var errMoreThanJob = errors.New("More processors requested than permitted")

// busyGrace is longer than a close takes between pods, and shorter than anybody waits for a word.
const busyGrace = 500 * time.Millisecond

const nodesBusy = "Requested nodes are busy"

// take waits until all of the step's CPUs are free at once and gives its number, or -1 when `gone` is closed before.
func (s *stepLedger) take(ask *stepAsk, gone <-chan struct{}, busy func(why string)) (int, error) {
	want := slices.Clone(ask.CPUs)
	if len(want) != len(s.total) {
		return 0, fmt.Errorf("CPUs for %d nodes in a job of %d", len(want), len(s.total))
	}
	for rank, n := range want {
		if n < 0 {
			want[rank] = s.total[rank]
		} else if n > s.total[rank] && !ask.Overlap {
			return 0, errMoreThanJob
		}
	}
	grace := time.NewTimer(busyGrace)
	defer grace.Stop()
	for told := false; ; {
		id, changed, ok := s.try(want, ask.Overlap)
		if ok {
			return id, nil
		}
		// Of a step that is over its connection may still be seen to close: that is not worth a word to whoever comes next.
		var tell <-chan time.Time
		if !told {
			tell = grace.C
		}
		select {
		case <-tell:
			busy(nodesBusy)
			told = true
		case <-changed:
		case <-gone:
			return -1, nil
		}
	}
}

func (s *stepLedger) try(want []int, overlap bool) (id int, changed <-chan struct{}, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if overlap {
		want = make([]int, len(want))
	}
	for rank, n := range want {
		used := 0
		for _, held := range s.held {
			used += held[rank]
		}
		if n > 0 && used+n > s.total[rank] {
			return 0, s.changed, false
		}
	}
	id = s.next
	s.next++
	s.held[id] = want
	return id, nil, true
}

func (s *stepLedger) giveBack(id int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.held, id)
	close(s.changed)
	s.changed = make(chan struct{})
}
