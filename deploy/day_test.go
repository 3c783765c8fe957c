// Without the post-quantum half of their key exchange TLS handshakes cost a
// fifth less, and nobody listens in a bubble.
//
//go:debug tlsmlkem=0
package deploy

import (
	"flag"
	"testing"
	"testing/synctest"
	"time"

	"varde/deploy/fleettest"
)

var day = flag.Duration("day", 10*time.Minute, "how much virtual time TestDay plays")

// TestDay plays an undisturbed fleet of nine probes: every run on the schedule is
// in the journal once, and every verdict is up. It says what that costs, for a
// whole day about a minute: go test ./deploy -run 'TestDay$' -day 24h -v.
//
// It leaves out, compared with production:
//   - TLS of the checks, and so the login of https and smtp (Options.Plain); imap
//     logs in, and gRPC has TLS;
//   - the post-quantum half of the key exchange (see the top of this file);
//   - fsync of journal and spool;
//   - the pace of the mesh: its members look after one another every 15 s and not
//     every 1.2 s, gossip every 2 s and not every 200 ms, exchange all they know
//     every 5 minutes and not every 30 s;
//   - the network: no latency, no loss, one address family, so every run takes no
//     time and nothing is hedged or confirmed;
//   - memory: garbage is collected a quarter as often;
//   - threads: it has one.
func TestDay(t *testing.T) {
	defer hurry(1)()
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
		expectComplete(t, f, 9*len(kinds), *day)
	})
	t.Logf("%s of nine probes x three checks every %s took %s", *day, interval, time.Since(began).Round(time.Millisecond))
}
