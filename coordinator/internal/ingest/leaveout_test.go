package ingest_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"varde/checks"
	"varde/coordinator/internal/ingest"
	"varde/probe/uplinktest"
	"varde/proto/wire"
)

// TestWhatWasBeforeIsAGap: a probe that joins again elsewhere with its old folder does
// not report from there what it saw from here.
func TestWhatWasBeforeIsAGap(t *testing.T) {
	for name, ahead := range map[string]time.Duration{"a good clock": 0, "a clock an hour ahead": time.Hour, "a clock an hour behind": -time.Hour} {
		bubble(t, func(t *testing.T) {
			m := newMemory()
			w := newWorld(t, m)
			defer w.coordinate()()
			record := func(seq uint64) wire.Record {
				o := uplinktest.Observation(seq)
				o.Started = o.Started.Add(ahead)
				return wire.Record{Observation: o}
			}
			held := []wire.Record{record(1), record(2)}
			time.Sleep(10 * time.Minute)
			w.authority.add(ingest.Peer{Name: "osl-1", Region: "oceania", Joined: time.Now()})
			k := w.talk(w.dial(w.clientTLS("osl-1", "oceania", 0)))
			k.resume("e1")
			k.mark("e1", 0)
			k.answer(0, 0, ahead)
			held = append(held, record(3))
			k.records("e1", held...)
			k.mark("e1", 3)
			got := m.kept()[0][0]
			if len(got.Records) != 2 || got.Records[0].Gap == nil || got.Records[0].Last() != 2 || got.Records[1].Gap != nil || got.Records[1].Last() != 3 {
				t.Errorf("%s: kept %+v, want a gap of 1 to 2, and 3", name, got.Records)
			}
			p := w.ingest.Probes()[0]
			if want := "it sent 2 records from before it joined"; p.Dropped != 2 || len(p.Notices) == 0 || !strings.HasPrefix(p.Notices[len(p.Notices)-1], want) {
				t.Errorf("%s: dropped %d, notices %q, want 2 and %q", name, p.Dropped, p.Notices, want)
			}
		})
	}
}

// TestInventedChecksAreAGap: a probe reports what some plan has asked of it, the
// newest or one that it still works by, and nothing else.
func TestInventedChecksAreAGap(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := newMemory()
		w, k, stop := meet(t, m)
		defer stop()
		record := func(seq uint64, check string) wire.Record {
			o := uplinktest.Observation(seq)
			o.Check = check
			return wire.Record{Observation: o}
		}
		send := func(records ...wire.Record) (left []string) {
			t.Helper()
			k.records("e1", records...)
			k.mark("e1", records[len(records)-1].Last())
			kept := m.kept()
			for _, r := range kept[len(kept)-1][0].Records {
				if r.Gap != nil {
					left = append(left, fmt.Sprintf("gap %d-%d", r.Gap.First, r.Gap.Last))
				} else {
					left = append(left, r.Observation.Check)
				}
			}
			return left
		}
		for revision, check := range []string{"imap", "smtp"} {
			w.plans.checks = []checks.Target{{ID: check}}
			w.plans.set(wire.PlanNumber{Generation: 1, Revision: uint64(revision + 1)}, "osl-1")
			seq := uint64(4 * revision)
			got := send(record(seq+1, "imap"), record(seq+2, "x1"), record(seq+3, "x2"), record(seq+4, check))
			if want := []string{"imap", fmt.Sprintf("gap %d-%d", seq+2, seq+3), check}; !slices.Equal(got, want) {
				t.Errorf("plan %d: kept %q, want %q", revision+1, got, want)
			}
		}
		want := "it sent 2 records of checks that nobody asked it for: they are kept as a gap"
		if n := w.ingest.Probes()[0].Notices; !slices.Equal(n, []string{want}) {
			t.Errorf("notices %q, want %q", n, want)
		}
	})
}
