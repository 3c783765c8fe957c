package verdict

import (
	_ "embed"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// What the version before evidence kept of a region of three probes at 30 s, what it
// said of it, and what came of it when everything failed 8 times and was good 40.
//
//go:embed testdata/former.json
var formerJudges []byte

func TestJudgesOfTheVersionBeforeEvidence(t *testing.T) {
	var list []struct {
		Name   string
		Judge  Judge
		State  State
		Since  time.Time
		Reason string
		Counts Counts
		At     time.Time
		N      uint64
		Log    []string
	}
	if err := json.Unmarshal(formerJudges, &list); err != nil {
		t.Fatal(err)
	}
	for _, was := range list {
		g := region{j: was.Judge, at: was.At, n: was.N, took: 100 * time.Millisecond}
		j := &g.j
		if j.State() != was.State || !j.Since().Equal(was.Since) || j.Reason(half, j.clock) != was.Reason || j.Counts(half, j.clock) != was.Counts {
			t.Errorf("%s: got %s since %s: %s, %+v", was.Name, j.State(), j.Since(), j.Reason(half, j.clock), j.Counts(half, j.clock))
		}
		if e := j.Evidence(half, j.clock); e.Part != "" || len(e.Probes) != was.Counts.Up+was.Counts.Down+was.Counts.Unknown {
			t.Errorf("%s: got evidence %+v, want the probes alone", was.Name, e)
		}
		again, err := json.Marshal(j)
		if err != nil {
			t.Fatal(err)
		}
		var back Judge
		if err := json.Unmarshal(again, &back); err != nil {
			t.Fatal(err)
		}
		sameJudge(t, *j, back)
		g.look(8, always)
		g.look(40, nil)
		if diff := cmp.Diff(was.Log, g.log); diff != "" {
			t.Errorf("%s goes on otherwise (-before +now):\n%s", was.Name, diff)
		}
		if len(g.changes) > 0 && g.changes[0].Evidence.Part == "" {
			t.Errorf("%s: the next change has no evidence: %+v", was.Name, g.changes[0])
		}
	}
	if len(list) != 6 {
		t.Errorf("got %d judges, want 6", len(list))
	}
}
