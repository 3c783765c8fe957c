package deploy

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"varde/coordinator/server"
	"varde/proto/wire"
)

const (
	kills     = 20
	perProbe  = 50 // checks, as in the promise of memory
	mb        = 1 << 20
	probeMB   = 40
	coordinMB = 150
)

// TestKill kills probes and coordinator at random, twenty times, while they
// work. Afterwards every record that a probe had on disk is in the journal,
// once. On the way it looks at the memory of both programs.
func TestKill(t *testing.T) {
	if testing.Short() {
		t.Skip("real processes for half a minute")
	}
	t.Parallel() // it waits more than it works
	p := buildPrograms(t)
	probes := p.setUp(p.webChecks(perProbe))
	p.eventually("every probe has observed something", func() bool { return p.allObserved(t, probes) })
	p.checkMemory(t, probes)

	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	killed := map[string]int{}
	for range kills {
		victim := "coordinator"
		if rnd.IntN(3) > 0 {
			victim = probes[rnd.IntN(len(probes))]
		}
		<-time.After(time.Duration(200+rnd.IntN(1200)) * time.Millisecond)
		p.signal(victim, syscall.SIGKILL)
		killed[victim]++
		p.start(victim)
	}
	p.eventually("coordinator is back", p.ready)
	p.drain(t, probes)
	p.compare(t, probes, killed)
}

// drain lets every probe find the coordinator again, then stops the probes in
// good order, which hands over what is left, and then the coordinator.
func (p *programs) drain(t *testing.T, probes []string) {
	t.Helper()
	for _, name := range probes {
		p.eventually(name+" has handed over what it had", func() bool {
			s, ok := p.status(name)
			return ok && s.Coordinator.Connected && s.Spool.Records < 2*perProbe
		})
	}
	for _, name := range probes {
		p.signal(name, syscall.SIGTERM)
	}
	p.signal("coordinator", syscall.SIGTERM)
}

// probeStatus is the part of `varde-probe status --json` that the test needs.
type probeStatus struct {
	Coordinator struct {
		Connected bool `json:"connected"`
	} `json:"coordinator"`
	Spool struct {
		Records int `json:"records"`
	} `json:"spool"`
}

func (p *programs) status(name string) (s probeStatus, ok bool) {
	out, err := exec.Command(p.probe, "status", "--json", "--state", filepath.Join(p.dir, name)).Output()
	return s, err == nil && json.Unmarshal(out, &s) == nil
}

// compare holds the probes' own words against the journal.
func (p *programs) compare(t *testing.T, probes []string, killed map[string]int) {
	t.Helper()
	inJournal := map[observation]int{}
	gaps := 0
	err := server.ReadJournal(context.Background(), filepath.Join(p.dir, "data"), func(b wire.Batch) error {
		for _, r := range b.Records {
			if r.Gap != nil {
				gaps++
				continue
			}
			inJournal[observation{b.Probe, b.Epoch, r.Observation.Seq}]++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	onDisk, missing, doubled := 0, 0, 0
	for _, name := range probes {
		for _, o := range spooled(t, p.all[name].log) {
			onDisk++
			if inJournal[o] == 0 {
				missing++
			}
		}
	}
	for _, n := range inJournal {
		if n > 1 {
			doubled++
		}
	}
	t.Logf("killed %v; spooled %d, journaled %d, missing %d, doubled %d, gaps %d",
		killed, onDisk, len(inJournal), missing, doubled, gaps)
	if onDisk == 0 || missing > 0 || doubled > 0 || gaps > 0 {
		t.Errorf("expected every spooled record in the journal exactly once")
	}
}

// checkMemory holds both programs against what varde promises.
func (p *programs) checkMemory(t *testing.T, probes []string) {
	t.Helper()
	<-time.After(10 * time.Second) // two rounds of every check
	worst := int64(0)
	for _, name := range probes {
		worst = max(worst, p.rss(name))
	}
	coordinator := p.rss("coordinator")
	t.Logf("resident memory: probe with %d checks %d MB (limit %d), coordinator of %d probes %d MB (limit %d)",
		perProbe, worst/mb, probeMB, len(probes), coordinator/mb, coordinMB)
	if worst > probeMB*mb || coordinator > coordinMB*mb {
		t.Errorf("more memory than promised")
	}
}

func (p *programs) allObserved(t *testing.T, probes []string) bool {
	for _, name := range probes {
		if len(spooled(t, p.all[name].log)) == 0 {
			return false
		}
	}
	return true
}

func pemOf(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
