package verdict

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"varde/checks"
)

// What an observation says of where it failed, or what took it longest, and of the
// network that it met.
func TestResultOf(t *testing.T) {
	o := checks.Observation{
		Check: "imap", Probe: "a", Epoch: "e", Seq: 7, Family: checks.IPv4, Started: start, Every: 30 * time.Second, Trigger: checks.Scheduled,
		Result: checks.Result{
			Outcome: checks.Up, Address: "192.0.2.17:993", Elapsed: 900 * time.Millisecond,
			Phases: []checks.PhaseTiming{{Name: checks.Connect, Duration: 100}, {Name: checks.Auth, Duration: 600}, {Name: checks.Select, Duration: 200}},
		},
	}
	want := Result{
		Probe: "a", Epoch: "e", Seq: 7, Started: start, Ended: start.Add(900 * time.Millisecond), Every: 30 * time.Second, Outcome: checks.Up,
		Elapsed: 900 * time.Millisecond, Scheduled: true, Login: true, Phase: checks.Auth, Network: "192.0.2.0/24",
	}
	got, ok := ResultOf(o)
	if diff := cmp.Diff(want, got); diff != "" || !ok {
		t.Errorf("good: %t (-want +got):\n%s", ok, diff)
	}
	o.Outcome, o.FailedPhase, o.Class = checks.Down, checks.Select, checks.CommandTimeout
	want.Outcome, want.Phase, want.Class = checks.Down, checks.Select, checks.CommandTimeout
	got, _ = ResultOf(o)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("failed (-want +got):\n%s", diff)
	}
	o.Trigger = checks.Manual
	if _, ok := ResultOf(o); ok {
		t.Error("a run that a person asked for is judged")
	}
}

func BenchmarkResultOf(b *testing.B) {
	o := checks.Observation{
		Started: start, Every: 30 * time.Second, Trigger: checks.Scheduled,
		Result: checks.Result{
			Outcome: checks.Up, Address: "192.0.2.17:993", Elapsed: time.Second,
			Phases: []checks.PhaseTiming{{Name: checks.Resolve, Duration: 1}, {Name: checks.Connect, Duration: 100}, {Name: checks.TLS, Duration: 600}, {Name: checks.Greeting, Duration: 200}},
		},
	}
	b.ReportAllocs()
	for b.Loop() {
		ResultOf(o)
	}
}
