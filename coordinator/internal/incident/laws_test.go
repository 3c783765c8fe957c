package incident_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"varde/checks"
	"varde/coordinator/internal/incident"
	"varde/coordinator/internal/verdict"
)

// histories are changes of a few series in the order of time, on a coarse grid so that
// equal instants and exact deadlines happen, each from what its series was before.
func histories() *rapid.Generator[[]verdict.Change] {
	return rapid.Custom(func(t *rapid.T) []verdict.Change {
		states := make(map[verdict.Series]verdict.State)
		clock := at("00:00")
		classes := []checks.Class{checks.ConnectTimeout, checks.TLSTimeout, checks.AuthTimeout, checks.Late, ""}
		out := make([]verdict.Change, rapid.IntRange(0, 60).Draw(t, "n"))
		for k := range out {
			clock = clock.Add(time.Duration(rapid.SampledFrom([]int{0, 0, 0, 30, 60, 180, 300, 900, 901, 4000}).Draw(t, "gap")) * time.Second)
			s := series(rapid.SampledFrom([]string{"imap-login", "web", "post", "loop"}).Draw(t, "check"), rapid.SampledFrom([]string{"oceania", "us-east"}).Draw(t, "region"))
			to := rapid.SampledFrom([]verdict.State{unknown, up, up, slow, flaps, down, down}).Draw(t, "to")
			if to == states[s] {
				to = verdict.State((int(to) + 1) % verdict.States)
			}
			c := turn("00:00", s.Check, s.Region, to, in("", rapid.SampledFrom(classes).Draw(t, "class")))
			c.From, c.At, c.Since = states[s], clock, clock
			if to > up {
				c.Since = clock.Add(-time.Duration(rapid.SampledFrom([]int{0, 10, 60, 1000}).Draw(t, "ago")) * time.Second)
			}
			if to > up {
				c.Evidence.Ways = ways().Draw(t, "ways")
			}
			c.Evidence.Networks = rapid.SampledFrom([][]string{nil, {here}, {there}}).Draw(t, "networks")
			states[s], out[k] = to, c
		}
		return out
	})
}

// ways are those of failures of one, two or three groups of phases, or none.
func ways() *rapid.Generator[[]verdict.Way] {
	return rapid.Custom(func(t *rapid.T) (out []verdict.Way) {
		for _, class := range []checks.Class{checks.ConnectTimeout, checks.AuthTimeout, checks.Busy} {
			if n := rapid.SampledFrom([]int{0, 0, 1, 2, 6}).Draw(t, "runs"); n > 0 {
				out = append(out, verdict.Way{Class: class, Runs: n})
			}
		}
		slices.SortFunc(out, verdict.Way.Compare)
		return out
	})
}

// whole is a book that was told of a history, at its end, and all that it ever held.
func whole(changes []verdict.Change, until time.Time) (*incident.Book, map[string]incident.Incident) {
	b := told(changes...)
	b.Advance(until)
	return b, touched(b, nil)
}

func touched(b *incident.Book, all map[string]incident.Incident) map[string]incident.Incident {
	if all == nil {
		all = make(map[string]incident.Incident)
	}
	for _, i := range b.Touched() {
		all[i.ID] = i
	}
	return all
}

func endOf(changes []verdict.Change) time.Time {
	if len(changes) == 0 {
		return at("00:00")
	}
	return changes[len(changes)-1].At.Add(20 * time.Minute)
}

func same(t *rapid.T, what string, want, got any) {
	t.Helper()
	if diff := gocmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("%s (-want +got)\n%s", what, diff)
	}
}

// How often a book is told the time, and in which order the changes of different
// series at one instant come, leaves no trace.
func TestTimeLeavesNoTrace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		changes := histories().Draw(t, "changes")
		end := endOf(changes)
		want, all := whole(changes, end)

		b := told()
		for k, c := range mixedInstants(t, changes) {
			for range rapid.IntRange(0, 2).Draw(t, "advances") {
				from := at("00:00")
				if k > 0 {
					from = changes[k-1].At
				}
				b.Advance(from.Add(time.Duration(rapid.Float64Range(0, 1).Draw(t, "share") * float64(changes[k].At.Sub(from)))))
			}
			b.Observe(c)
		}
		b.Advance(end)
		same(t, "held", want.Incidents(), b.Incidents())
		same(t, "ever", all, touched(b, nil))
	})
}

// mixedInstants are changes in another order of those of one instant; those of one
// series keep theirs.
func mixedInstants(t *rapid.T, changes []verdict.Change) []verdict.Change {
	out := slices.Clone(changes)
	for from := 0; from < len(out); {
		to := from
		for to < len(out) && out[to].At.Equal(out[from].At) {
			to++
		}
		order := rapid.Permutation([]string{"imap-login", "loop", "post", "web"}).Draw(t, "order")
		slices.SortStableFunc(out[from:to], func(a, b verdict.Change) int {
			if a.Series.Check == b.Series.Check {
				return b.Series.Compare(a.Series)
			}
			return slices.Index(order, a.Series.Check) - slices.Index(order, b.Series.Check)
		})
		from = to
	}
	return out
}

// A book that is restored between two instants goes on as if nothing had been.
func TestRestore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		changes := histories().Draw(t, "changes")
		cut := rapid.IntRange(0, len(changes)).Draw(t, "cut")
		for cut > 0 && cut < len(changes) && changes[cut].At.Equal(changes[cut-1].At) {
			cut++
		}
		end := endOf(changes)
		want, all := whole(changes, end)

		first := told(changes[:cut]...)
		b := incident.New(world(), incident.Policy{})
		b.Restore(rapid.Permutation(first.Incidents()).Draw(t, "kept"))
		if got := b.Touched(); len(got) > 0 {
			t.Fatalf("got %+v touched, want nothing", got)
		}
		for _, c := range changes[cut:] {
			b.Observe(c)
		}
		b.Advance(end)
		same(t, "held", want.Incidents(), b.Incidents())
		same(t, "ever", all, touched(b, touched(first, nil)))
	})
}

// What is derived is a function of the set of changes, all of what a book ever held,
// and no id stands twice.
func TestDerive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		changes := histories().Draw(t, "changes")
		end := endOf(changes)
		want := incident.Derive(world(), incident.Policy{}, changes, end)
		mixed := rapid.Permutation(changes).Draw(t, "mixed")
		if len(changes) > 0 {
			mixed = append(mixed, rapid.SampledFrom(changes).Draw(t, "double"))
		}
		same(t, "in another order", want, incident.Derive(world(), incident.Policy{}, mixed, end))

		ids := make(map[string]bool)
		for _, i := range want {
			if ids[i.ID] || i.ID != i.Key.ID() || !i.Detected.IsZero() {
				t.Fatalf("got %s twice, or %s, or detected %s", i.ID, i.Key.ID(), i.Detected)
			}
			ids[i.ID] = true
		}
		if !unambiguous(changes) {
			return
		}
		_, all := whole(changes, end)
		for id, i := range all {
			i.Detected = time.Time{}
			all[id] = i
		}
		for _, i := range want {
			same(t, "as it was told", all[i.ID], i)
		}
		if len(all) != len(want) {
			t.Fatalf("got %d incidents, want %d", len(want), len(all))
		}
	})
}

// unambiguous says whether it is clear which of the changes of one series at one
// instant came first.
func unambiguous(changes []verdict.Change) bool {
	n := make(map[string]int)
	for _, c := range changes {
		k := c.Series.String() + c.At.String()
		if n[k]++; n[k] > 2 {
			return false
		}
	}
	return true
}

// What must hold of every incident.
func TestLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		changes := histories().Draw(t, "changes")
		_, all := whole(changes, endOf(changes))
		for _, i := range all {
			if i.Started.After(i.Detected) {
				t.Fatalf("%s started at %s, after it was told at %s", i.ID, i.Started, i.Detected)
			}
			if closed := !i.Resolved.IsZero(); closed != (i.Stage == incident.Resolved) || closed && i.Resolved.Sub(i.Recovered) < 180*time.Second {
				t.Fatalf("%s is %s, over at %s, closed at %s", i.ID, i.Stage, i.Recovered, i.Resolved)
			}
			if over := !i.Recovered.IsZero(); over != (i.Stage != incident.Investigating) {
				t.Fatalf("%s is %s, over at %s", i.ID, i.Stage, i.Recovered)
			}
			for _, m := range i.Members {
				if m.Since.Before(i.Started) || m.Worst <= up || m.Worst < m.State || i.Stage == incident.Monitoring && m.State != up && !m.Gone {
					t.Fatalf("%s of %s has the member %+v", i.ID, i.Started, m)
				}
			}
			if !slices.IsSortedFunc(i.Steps, func(a, b incident.Step) int { return a.At.Compare(b.At) }) {
				t.Fatalf("%s has steps out of order: %+v", i.ID, i.Steps)
			}
		}
	})
}

// A series has trouble in one incident at a time.
func TestOneIncidentOfASeries(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := told()
		for _, c := range histories().Draw(t, "changes") {
			b.Observe(c)
			open := make(map[verdict.Series]string)
			for _, i := range b.Incidents() {
				for _, m := range i.Members {
					if i.Stage == incident.Resolved || m.Gone || m.State <= up {
						continue
					}
					if other := open[m.Series]; other != "" {
						t.Fatalf("%s is in %s and %s", m.Series, other, i.ID)
					}
					open[m.Series] = i.ID
				}
			}
		}
	})
}

// To reconcile twice is to reconcile once, in whatever order, and no final incident
// is lost.
func TestReconcileTwice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		changes := histories().Draw(t, "changes")
		end := endOf(changes)
		_, all := whole(rapid.SampledFrom([]func() []verdict.Change{
			func() []verdict.Change { return changes },
			func() []verdict.Change { return histories().Draw(t, "told") },
			func() []verdict.Change { return changes[:len(changes)/2] },
		}).Draw(t, "which")(), end)
		former := slices.Collect(maps.Values(all))
		final := incident.Derive(world(), incident.Policy{}, changes, end)
		once := incident.Reconcile(world(), former, final, end)
		same(t, "twice", once, incident.Reconcile(world(), once, final, end.Add(time.Hour)))
		same(t, "in another order", once, incident.Reconcile(world(), rapid.Permutation(former).Draw(t, "former"), rapid.Permutation(final).Draw(t, "final"), end))
		for _, f := range final {
			if !slices.ContainsFunc(once, func(i incident.Incident) bool { return slices.Contains(i.Final, f.ID) }) {
				t.Fatalf("%s is in none of %+v", f.ID, once)
			}
		}
	})
}
