package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// maxHosts bounds what a list may expand to, as Slurm does.
const maxHosts = 64 << 10

// expandHosts reads Slurm's lists: `n[01-03,7],login1`. Several brackets multiply, and something may follow the last.
func expandHosts(list string) ([]string, error) {
	var hosts []string
	for _, part := range splitOutside(list) {
		if part == "" {
			continue
		}
		names, err := expandHost(part)
		if err != nil {
			return nil, err
		}
		if hosts = append(hosts, names...); len(hosts) > maxHosts {
			return nil, fmt.Errorf("more than %d hosts", maxHosts)
		}
	}
	return hosts, nil
}

// splitOutside cuts at commas and blanks that are in no bracket.
func splitOutside(list string) []string {
	depth := 0
	return strings.FieldsFunc(list, func(r rune) bool {
		switch r {
		case '[':
			depth++
		case ']':
			depth--
		case ',', ' ', '\t', '\n':
			return depth <= 0
		}
		return false
	})
}

func expandHost(part string) ([]string, error) {
	open := strings.IndexByte(part, '[')
	if open < 0 {
		if strings.ContainsRune(part, ']') {
			return nil, fmt.Errorf("%q: ] without [", part)
		}
		return []string{part}, nil
	}
	length := strings.IndexByte(part[open:], ']')
	if length < 0 {
		return nil, fmt.Errorf("%q: [ without ]", part)
	}
	rest, err := expandHost(part[open+length+1:])
	if err != nil {
		return nil, err
	}
	var hosts []string
	for span := range strings.SplitSeq(part[open+1:open+length], ",") {
		numbers, err := expandSpan(span)
		if err != nil {
			return nil, err
		}
		if len(hosts)+len(numbers)*len(rest) > maxHosts {
			return nil, fmt.Errorf("more than %d hosts", maxHosts)
		}
		for _, n := range numbers {
			for _, tail := range rest {
				hosts = append(hosts, part[:open]+n+tail)
			}
		}
	}
	return hosts, nil
}

// expandSpan keeps leading zeros: 08-11 is 08 09 10 11.
func expandSpan(span string) ([]string, error) {
	low, high, isRange := strings.Cut(span, "-")
	if !isRange {
		high = low
	}
	first, err := strconv.ParseUint(low, 10, 32)
	last, err2 := strconv.ParseUint(high, 10, 32)
	if err != nil || err2 != nil || last < first || last-first >= maxHosts {
		return nil, fmt.Errorf("_parse_single_range: Invalid range: `%s'", span)
	}
	var numbers []string
	for n := first; n <= last; n++ {
		numbers = append(numbers, fmt.Sprintf("%0*d", len(low), n))
	}
	return numbers, nil
}

// hostSpan is some hosts in a row: one name, or a prefix and numbers of one width.
type hostSpan struct {
	prefix string
	width  int // 0: a name without a number at its end
	first  uint64
	last   uint64
}

func spanOf(host string) hostSpan {
	digits := len(host)
	for digits > 0 && host[digits-1] >= '0' && host[digits-1] <= '9' {
		digits--
	}
	n, err := strconv.ParseUint(host[digits:], 10, 32)
	if err != nil {
		return hostSpan{prefix: host}
	}
	return hostSpan{host[:digits], len(host) - digits, n, n}
}

// goesOn: 9 is followed by 10, and 09 by 10, but 009 not.
func (s hostSpan) goesOn(next hostSpan) bool {
	same := s.prefix == next.prefix && s.width > 0 && next.width > 0 && next.first == s.last+1
	return same && len(s.number(next.first)) == next.width
}

func (s hostSpan) number(n uint64) string { return fmt.Sprintf("%0*d", s.width, n) }

// compressHosts is the way back, in the order given, as Slurm writes it.
func compressHosts(hosts []string) string {
	var spans []hostSpan
	for _, host := range hosts {
		next := spanOf(host)
		if n := len(spans); n > 0 && spans[n-1].goesOn(next) {
			spans[n-1].last = next.last
			continue
		}
		spans = append(spans, next)
	}
	var parts []string
	for i := 0; i < len(spans); {
		same := i + 1
		for same < len(spans) && spans[i].width > 0 && spans[same].width > 0 && spans[same].prefix == spans[i].prefix {
			same++
		}
		parts = append(parts, spansText(spans[i:same]))
		i = same
	}
	return strings.Join(parts, ",")
}

func spansText(spans []hostSpan) string {
	first := spans[0]
	if first.width == 0 {
		return first.prefix
	}
	if len(spans) == 1 && first.first == first.last {
		return first.prefix + first.number(first.first)
	}
	var ranges []string
	for _, s := range spans {
		text := s.number(s.first)
		if s.last > s.first {
			text += "-" + s.number(s.last)
		}
		ranges = append(ranges, text)
	}
	return first.prefix + "[" + strings.Join(ranges, ",") + "]"
}

// sortHosts orders by prefix, then number, then width.
func sortHosts(hosts []string) []string {
	sorted := slices.Clone(hosts)
	slices.SortStableFunc(sorted, func(a, b string) int {
		x, y := spanOf(a), spanOf(b)
		if c := strings.Compare(x.prefix, y.prefix); c != 0 {
			return c
		}
		if x.first != y.first {
			if x.first < y.first {
				return -1
			}
			return 1
		}
		return x.width - y.width
	})
	return sorted
}
