package deploy

import (
	"flag"
	"runtime/debug"
	"testing"
	"testing/synctest"
	"time"

	"varde/deploy/fleettest"
)

var (
	day  = flag.Duration("day", 10*time.Minute, "how much virtual time TestDay plays")
	long = flag.Bool("long", false, "run what plays many virtual days too")
)

// TestDay plays an undisturbed fleet of nine probes and says what a virtual day
// costs. A whole day: go test ./deploy -run TestDay -day 24h -v.
func TestDay(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // time, not memory, is scarce here
	began := time.Now()
	synctest.Test(t, func(t *testing.T) {
		o := threeRegions()
		o.Plain = true
		for region := range o.Regions {
			o.Regions[region] = 3
		}
		f := fleettest.New(t, o)
		f.Wait(*day)
		expectStates(t, f, nil)
	})
	cost := time.Since(began)
	t.Logf("%s of nine probes x three checks every %s took %s: a day costs %s",
		*day, interval, cost.Round(time.Millisecond), time.Duration(float64(cost)*24*float64(time.Hour)/float64(*day)).Round(time.Second))
}
