package deploy

import (
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"varde/coordinator/server"
	"varde/deploy/fleettest"
	"varde/deploy/scenario"
)

// TestReplay: what the coordinator keeps as final of an hour with an outage, a probe
// that was away and reports that were spooled through another outage, is byte for byte
// what a replay of its journal gives.
func TestReplay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fleettest.New(t, fleettest.Options{
			Regions: map[string]int{"eu-north": 3, "oceania": 3}, Plain: true,
			Checks: map[string]scenario.Check{"imap": {Every: 30 * time.Second}, "https": {Every: 30 * time.Second}},
		})
		from := time.Now().Add(3 * time.Minute)
		f.Wait(6 * time.Minute)
		f.Silence("imap", "oceania")
		f.Wait(4 * time.Minute)
		f.Heal()
		f.StopProbe("eu-north-2")
		f.Wait(15 * time.Minute)
		f.StartProbe("eu-north-2")
		f.StopCoordinator()
		f.Silence("https", "eu-north")
		f.Wait(8 * time.Minute)
		f.StartCoordinator()
		f.Wait(3 * time.Minute)
		f.Heal()
		to := time.Now().Truncate(time.Hour).Add(time.Hour)
		kept := f.Final(from, to)
		again := f.Replay()
		got, want := jsonOf(t, cut(again, from, to).Verdicts), jsonOf(t, cut(kept, from, to).Verdicts)
		if got != want {
			t.Errorf("replayed\n%s\nkept as final\n%s", got, want)
		}
		if n := len(kept.Verdicts); n < 4+2*2 { // four series, two of which turn twice
			t.Errorf("%d verdicts, want two outages", n)
		}
	})
}

// cut is what of a record lies between two times.
func cut(r server.Record, from, to time.Time) server.Record {
	var out []server.RecordedVerdict
	for _, v := range r.Verdicts {
		if v.To == nil || v.To.After(to) {
			v.To = &to
		}
		if v.From.Before(from) {
			v.From = from
		}
		if v.From.Before(*v.To) {
			out = append(out, v)
		}
	}
	r.Verdicts = out
	return r
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
