package presence

import (
	"encoding/json"
	"testing"

	"varde/proto/wire"
)

func TestWords(t *testing.T) {
	for s, want := range map[State]string{Silent: `"silent"`, Connected: `"connected"`, Invited: `"invited"`, Expired: `"expired"`} {
		text, err := json.Marshal(s)
		if err != nil || string(text) != want {
			t.Errorf("%d: got %s, %v, want %s", s, text, err, want)
		}
		var back State
		if err := json.Unmarshal(text, &back); err != nil || back != s {
			t.Errorf("%s: read as %v, %v", text, back, err)
		}
	}
	var s State
	if err := json.Unmarshal([]byte(`"away"`), &s); err == nil {
		t.Errorf(`"away" was read as %v, want an error`, s)
	}
	if got := State(9).String(); got != "state 9" {
		t.Errorf("got %q", got)
	}
}

func TestFitness(t *testing.T) {
	for q, want := range map[wire.Qualification]string{wire.NotJudged: "not judged", wire.Qualified: "yes", wire.Disqualified: "no"} {
		if got := Fitness(q); got != want {
			t.Errorf("%d: got %q, want %q", q, got, want)
		}
	}
}
