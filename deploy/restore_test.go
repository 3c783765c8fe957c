package deploy

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"varde/coordinator/server"
	"varde/proto/wire"
)

// TestRestore takes a backup of a coordinator at work, loses its machine with what came
// afterwards, and restores it: the probes come back by themselves, every record that
// one of them ever had is there once or in a stated gap, and the gap is no longer than
// what the lost coordinator had acknowledged since the backup.
func TestRestore(t *testing.T) {
	if testing.Short() {
		t.Skip("real processes")
	}
	t.Parallel() // it waits more than it works
	p := buildPrograms(t)
	probes := p.setUp(p.webChecks(5))
	p.eventually("every probe has observed something", func() bool { return p.allObserved(t, probes) })
	config, data, file := filepath.Join(p.dir, "coordinator.yaml"), filepath.Join(p.dir, "data"), filepath.Join(p.dir, "backup.zip")
	out := p.command(p.coord, "backup", file, "--config", config)
	if !strings.HasPrefix(out, "wrote "+file+": ") || !strings.Contains(out, "keep it as safe") {
		t.Errorf("backup says %q", out)
	}
	atBackup := spooledBy(t, p, probes)
	p.eventually("more is observed", func() bool { return spooledBy(t, p, probes) >= atBackup+60 })
	p.signal("coordinator", syscall.SIGKILL)
	lost := readSeen(t, data)
	for _, gone := range []string{data, config} {
		if err := os.RemoveAll(gone); err != nil {
			t.Fatal(err)
		}
	}
	if out := p.command(p.coord, "restore", "--verify", file); !strings.HasPrefix(out, file+" is whole: ") {
		t.Errorf("restore --verify says %q", out)
	}
	out = p.command(p.coord, "restore", file)
	if !strings.Contains(out, "wrote "+config+"\n") || !strings.HasSuffix(out, "next: varde-coordinator run --config "+config+"\n") {
		t.Errorf("restore says %q", out)
	}
	p.start("coordinator")
	p.eventually("coordinator is back", p.ready)
	before := spooledBy(t, p, probes)
	p.eventually("every probe observes again", func() bool { return spooledBy(t, p, probes) >= before+30 })
	p.drain(t, probes)
	restored := readSeen(t, data)
	t.Logf("lost coordinator had %d records, restored one has %d, and %d in gaps", len(lost.records), len(restored.records), restored.missing)
	for _, name := range probes {
		for _, o := range spooled(t, p.all[name].log) {
			n := restored.records[o]
			if n > 1 || n == 0 && !restored.excused(o) {
				t.Fatalf("%v is there %d times, and in no gap", o, n)
			}
			if n == 0 && lost.records[o] == 0 {
				t.Fatalf("%v was never acknowledged, and is lost", o)
			}
		}
	}
	if restored.missing == 0 || len(restored.records) <= len(lost.records)-restored.missing {
		t.Errorf("got %d records and %d missing after %d: nothing happened", len(restored.records), restored.missing, len(lost.records))
	}
}

// seen is what a journal holds.
type seen struct {
	records map[observation]int
	gaps    map[wire.Source][]wire.Gap
	missing int
}

func readSeen(t *testing.T, data string) seen {
	t.Helper()
	s := seen{map[observation]int{}, map[wire.Source][]wire.Gap{}, 0}
	err := server.ReadJournal(context.Background(), data, func(b wire.Batch) error {
		for _, r := range b.Records {
			switch {
			case r.Gap != nil:
				s.gaps[b.Source()] = append(s.gaps[b.Source()], *r.Gap)
				s.missing += int(r.Gap.Last - r.Gap.First + 1)
			case r.IsObservation():
				s.records[observation{b.Probe, b.Epoch, r.Observation.Seq}]++
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// excused says whether a record lies in a stated gap.
func (s seen) excused(o observation) bool {
	for _, g := range s.gaps[wire.Source{Probe: o.probe, Epoch: o.epoch}] {
		if g.First <= o.seq && o.seq <= g.Last {
			return true
		}
	}
	return false
}

func spooledBy(t *testing.T, p *programs, probes []string) (n int) {
	t.Helper()
	for _, name := range probes {
		n += len(spooled(t, p.all[name].log))
	}
	return n
}
