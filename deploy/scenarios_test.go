package deploy

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"testing"
	"testing/synctest"
	"time"

	"varde/deploy/fleettest"
	"varde/deploy/scenario"
)

var (
	long  = flag.Bool("long", false, "play scenarios above 12 h too")
	seeds = flag.Int("seeds", 0, "play scenarios with a seed once with each seed from 1 to this")
)

// longest is how much virtual time a scenario may take that is always played.
const longest = 12 * time.Hour

// TestScenarios plays every scenario of a folder, in a bubble each, and prints one
// JSON line of each. VARDE_SCENARIOS names another folder than scenarios,
// VARDE_SCENARIO_OUT one for what was told.
func TestScenarios(t *testing.T) {
	dir := os.Getenv("VARDE_SCENARIOS")
	if dir == "" {
		dir = "scenarios"
	}
	paths, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s: %d scenarios, %v, expected *.yaml", dir, len(paths), err)
	}
	undo := func() {}
	t.Run("all", func(t *testing.T) {
		played := 0
		for _, path := range paths {
			s, err := scenario.Load(path)
			if err != nil {
				t.Errorf("%v", err)
				continue
			}
			for _, s := range s.Sown(*seeds) {
				t.Run(s.Name, func(t *testing.T) {
					if s.Length > playable() && !*long {
						t.Skipf("%s of virtual time: -long plays it", s.Length)
					}
					played++
					t.Parallel()
					play(t, s)
				})
			}
		}
		undo = hurry(played) // they all wait for this function to end
	})
	undo()
}

// hurry trades memory for time while so many bubbles are played, and gives each a
// thread: what happens in a bubble happens in turn, and with more threads than that
// they spend a quarter of their time waking one another. It returns the undo.
func hurry(bubbles int) (undo func()) {
	garbage := debug.SetGCPercent(400)
	threads := runtime.GOMAXPROCS(0)
	runtime.GOMAXPROCS(max(1, min(threads, bubbles)))
	return func() {
		debug.SetGCPercent(garbage)
		runtime.GOMAXPROCS(threads)
	}
}

// play plays one scenario and judges it.
func play(t *testing.T, s scenario.Scenario) {
	began := time.Now()
	var o fleettest.Outcome
	s = s.Unfold()
	synctest.Test(t, func(t *testing.T) { o = fleettest.Play(t, s) })
	j := s.Judge(o.Record(o.Told), o.Record(o.Final))
	report := s.Report(j, o.Lost, o.Duplicates, time.Since(began))
	line, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println(string(line)) // for programs: the log would put the file and line in front
	for _, c := range j.Complaints {
		t.Log(c)
	}
	if report.Failed() {
		t.Errorf("%d of %d missed, %d false, %d lost, %d doubled", report.Missed, report.Expected, report.False, report.Lost, report.Doubled)
	}
	publish(t, s.Name, o)
}

// publish writes what was told, for other programs to judge.
func publish(t *testing.T, name string, o fleettest.Outcome) {
	dir := os.Getenv("VARDE_SCENARIO_OUT")
	if dir == "" {
		return
	}
	b, err := json.MarshalIndent(o.Published(), "", " ")
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+".json"), b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
