package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// gathered sends each directory as one node's results, and fetches all of them to one place, as the stand-in does.
func (s *stageStore) gathered(to string, since time.Time, nodes ...string) *stagedBody {
	s.t.Helper()
	order := stageBody{ID: newNonce(), Way: wayOut, Paths: asBytes([]string{to}), JobID: 7, SinceMs: since.UnixMilli()}
	for rank, from := range nodes {
		sent := noFault(s.t, s.sendAll(false, from))
		order.Others = append(order.Others, rankBlob{int64(rank), sent.Manifest.Sha256, sent.Manifest.Size})
	}
	first := order.Others[0].blob()
	order.Manifest, order.Others = &first, order.Others[1:]
	return s.do(order)
}

func TestWhatSeveralNodesMadeComesTogether(t *testing.T) {
	s, nodes, to := newStageStore(t), []string{t.TempDir(), t.TempDir(), t.TempDir()}, t.TempDir()+"/out"
	put(t, nodes[0]+"/log", "all is well")
	put(t, nodes[0]+"/sum", "first")
	put(t, nodes[1]+"/log", "all is well")
	put(t, nodes[1]+"/deep/part-1", "one")
	put(t, nodes[2]+"/deep/part-2", "two")
	put(t, nodes[2]+"/sum", "third")
	os.Symlink("first", nodes[0]+"/last")
	os.Symlink("second", nodes[1]+"/last")
	for try := range 2 { // the second finds all there
		r := noFault(t, s.gathered(to, time.Now().Add(time.Hour), nodes...))
		for name, want := range map[string]string{
			"log": "all is well", "sum": "first", "sum.spill-7-rank2": "third", "deep/part-1": "one", "deep/part-2": "two",
		} {
			if got := read(t, filepath.Join(to, name)); got != want {
				t.Errorf("try %d: %s is %q", try, name, got)
			}
		}
		if link, _ := os.Readlink(to + "/last.spill-7-rank1"); link != "second" {
			t.Errorf("try %d: the other symlink leads to %q", try, link)
		}
		slices.Sort(r.Told)
		if len(r.Told) != 2 || !strings.Contains(r.Told[1], "/sum was made on rank 0 of the job and, with another content, on rank 2: the latter is in sum.spill-7-rank2 beside it") {
			t.Errorf("try %d: %q", try, r.Told)
		}
		entries, _ := os.ReadDir(to)
		if len(entries) != 6 {
			t.Errorf("try %d: %v", try, entries)
		}
	}
}

func TestANodesFileBesideAnOwnersNewerOne(t *testing.T) {
	s, nodes, to := newStageStore(t), []string{t.TempDir(), t.TempDir()}, t.TempDir()
	put(t, nodes[0]+"/f", "first")
	put(t, nodes[1]+"/f", "second")
	began := tick()
	put(t, to+"/f", "somebody's")
	noFault(t, s.gathered(to, began, nodes...))
	for name, want := range map[string]string{"f": "somebody's", "f.spill-7": "first", "f.spill-7-rank1": "second"} {
		if got := read(t, filepath.Join(to, name)); got != want {
			t.Errorf("%s is %q", name, got)
		}
	}
}

func TestTheResultsOfTheOthersComeWhereTheFirstNodesAreLost(t *testing.T) {
	s, from, to := newStageStore(t), t.TempDir(), t.TempDir()
	put(t, from+"/part-1", "one")
	sent := noFault(t, s.sendAll(false, from))
	noFault(t, s.do(stageBody{
		ID: "1", Way: wayOut, Paths: asBytes([]string{to}), JobID: 7, SinceMs: time.Now().UnixMilli(),
		Others: []rankBlob{{1, sent.Manifest.Sha256, sent.Manifest.Size}},
	}))
	if got := read(t, to+"/part-1"); got != "one" {
		t.Error(got)
	}
}

func TestWhatWasBroughtAndIsAsItWasIsNoResult(t *testing.T) {
	s, from, pod := newStageStore(t), t.TempDir(), t.TempDir()+"/set"
	put(t, from+"/same", "as it was")
	put(t, from+"/changed", "before")
	put(t, from+"/dir/moved", "moves with its directory")
	os.Symlink("same", from+"/link")
	sent := noFault(t, s.sendAll(true, from))
	far, reports := s.stagerOn()
	far.take(&stageBody{ID: "in", Way: wayOut, Paths: asBytes([]string{pod}), Manifest: sent.Manifest, Strict: true, Mark: "m", SinceMs: time.Now().UnixMilli()})
	noFault(t, s.report(reports))
	put(t, pod+"/changed", "after")
	put(t, pod+"/new", "as it was")
	os.Rename(pod+"/dir", pod+"/other")
	far.take(&stageBody{ID: "out", Way: wayIn, Paths: asBytes([]string{pod}), Mark: "m"})
	made := noFault(t, s.report(reports))
	to := t.TempDir() + "/home"
	noFault(t, s.fetchAll(made.Manifest, time.Now(), to))
	var got []string
	for _, line := range tree(t, to) {
		got = append(got, strings.Fields(line)[0])
	}
	if want := []string{".", "changed", "new", "other", "other/moved"}; !slices.Equal(got, want) {
		t.Errorf("came home: %q", got)
	}
}

func TestANodeOfALaterRankStaysForItsResults(t *testing.T) {
	s, b := newStageStore(t), startKeeper(t, nil)
	ended := b.podInProcess()
	l, ready := b.gateway(1)
	if !ready.Ranks {
		t.Fatal("it does not say that it can")
	}
	start := benchStart()
	start.Stays = true
	start.Team = &teamBody{Rank: 1, Port: int64(freeTeamPort(t)), Hosts: []hostBody{{"a", "127.0.0.1"}, {"b", "127.0.0.1"}}}
	gids, _ := os.Getgroups()
	start.Groups = []int64{}
	for _, gid := range gids {
		start.Groups = append(start.Groups, int64(gid))
	}
	l.send(tStart, start)
	expect[*startedBody](t, l)
	from := t.TempDir()
	put(t, from+"/part", "of rank 1")
	l.send(tSignal, signalBody{ID: "1", Signo: sigTerm, Scope: scopeAll})
	if exit := expect[*exitBody](t, l); exit.Code == nil || *exit.Code != 0 {
		t.Fatalf("%+v", exit)
	}
	if isDone(b.over) || len(ended) > 0 {
		t.Fatal("it did not stay")
	}
	l.send(tStage, stageBody{ID: "2", Way: wayIn, Paths: asBytes([]string{from}), Mark: "m", Say: []string{}})
	if made := noFault(t, s.signsFor(l)); made.Files != 1 {
		t.Errorf("%+v", made)
	}
	l.send(tStage, stageBody{ID: "3", Way: wayNone, Paths: []bytes64{}, Mark: "m", Say: []string{}})
	<-ended
}
