package main

import (
	"slices"
	"strings"
	"testing"
)

// What scontrol of Slurm 22.05.8 answers to the same.
func TestHostListsAreSlurms(t *testing.T) {
	for list, want := range map[string]string{
		"n1,n2,n[01-03]": "n1 n2 n01 n02 n03", "n[1,3,5-6],m": "n1 n3 n5 n6 m", "n[1-2][3-4]": "n13 n14 n23 n24",
		"x[08-11]": "x08 x09 x10 x11", "n1,n1": "n1 n1", "n1 n2": "n1 n2", "a[1-2]b[3-4]-x": "a1b3-x a1b4-x a2b3-x a2b4-x",
		"ip-10-40-0-[7-9].lab": "ip-10-40-0-7.lab ip-10-40-0-8.lab ip-10-40-0-9.lab", "": "",
	} {
		got, err := expandHosts(list)
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s: %v instead of %s, %v", list, got, want, err)
		}
	}
	for hosts, want := range map[string]string{
		"n1,n2,n3,n01,n02,a,n5": "n[1-3,01-02],a,n5", "n1,n1,n2": "n[1,1-2]", "a1b3-x,a1b4-x": "a1b3-x,a1b4-x", "n9,n10,n11": "n[9-11]",
		"n3,n1,n2": "n[3,1-2]", "n1-0,n1-1,n2-0": "n1-[0-1],n2-0", "n13,n14,n23,n24": "n[13-14,23-24]", "x08,x09,x10,x11,x8": "x[08-11,8]",
		"n1": "n1", "login": "login", "n009,n10": "n[009,10]",
	} {
		if got := compressHosts(strings.Split(hosts, ",")); got != want {
			t.Errorf("%s: %s instead of %s", hosts, got, want)
		}
	}
	sorted := compressHosts(sortHosts(strings.Split("n3,n1,n1,n09,n9,b1", ",")))
	if want := "b1,n[1,1,3,9,09]"; sorted != want {
		t.Errorf("%s instead of %s", sorted, want)
	}
}

func TestAnImpossibleHostListIsRefused(t *testing.T) {
	for _, list := range []string{"n[3-1]", "n[1-", "n]", "n[a-b]", "n[]", "n[1-99999999]", "n[1-2000][1-2000]", "n[-1]", "n[1-2"} {
		if got, err := expandHosts(list); err == nil {
			t.Errorf("%s: %d hosts", list, len(got))
		}
	}
}

func FuzzHostLists(f *testing.F) {
	for _, list := range []string{"n[1-3,07],a", "n[1-2]b[3-4]", "x[08-11]", "[", "a-[0-9]z"} {
		f.Add(list)
	}
	f.Fuzz(func(t *testing.T, list string) {
		hosts, err := expandHosts(list)
		if err != nil || len(hosts) > 2000 || strings.ContainsAny(strings.Join(hosts, ""), "[]") {
			return
		}
		again, err := expandHosts(compressHosts(hosts))
		if err != nil || !slices.Equal(hosts, again) {
			t.Fatalf("%q: %q became %q (%v)", list, hosts, again, err)
		}
	})
}

func TestCountsPerNodeAreReadAndWritten(t *testing.T) {
	for text, want := range map[string][]int{"72(x2),36": {72, 72, 36}, "4": {4}, "1(x3)": {1, 1, 1}, "2,1(x2)": {2, 1, 1}} {
		got, err := expandCounts(text)
		if err != nil || !slices.Equal(got, want) || compressCounts(got) != text {
			t.Errorf("%s: %v %v, back %s", text, got, err, compressCounts(got))
		}
	}
	for _, text := range []string{"", "x", "4(x", "4(x0)", "-1", "4(x99999999)"} {
		if got, err := expandCounts(text); err == nil {
			t.Errorf("%s: %v", text, got)
		}
	}
}
