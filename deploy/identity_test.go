package deploy

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"varde/deploy/fleettest"
	"varde/deploy/scenario"
)

// slow is a fleet whose weeks cost little.
func slow() fleettest.Options {
	return fleettest.Options{
		Regions: map[string]int{"eu-north": 2},
		Checks:  map[string]scenario.Check{"https": {Every: 12 * time.Hour}},
	}
}

// TestBadTokensChangeNothing tries every token that must not work against a real
// coordinator.
func TestBadTokensChangeNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fleettest.New(t, slow())
		used := f.Token("a", "eu-north", time.Hour)
		if _, err := f.Join("eu-north-1", used); err != nil {
			t.Fatal(err)
		}
		expired := f.Token("b", "eu-north", time.Minute)
		f.Wait(2 * time.Minute)
		good := f.Token("c", "eu-north", time.Hour)
		other := fleettest.New(t, slow()) // a fleet with another CA, at the same address
		before := f.Probes()
		for name, tc := range map[string]struct{ token, want string }{
			"used":     {used, "used already"},
			"expired":  {expired, "has expired"},
			"altered":  {good[:20] + flip(good[20]) + good[21:], "damaged"},
			"wrong CA": {other.Token("c", "eu-north", time.Hour), "not the one this token was made for"},
			"no token": {"hello", "damaged"},
		} {
			files, err := f.Join("eu-north-2", tc.token)
			if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: got %v, want one line with %q", name, err, tc.want)
			}
			if len(files) > 0 {
				t.Errorf("%s: left %v in the state folder", name, files)
			}
		}
		if after := f.Probes(); len(after) != len(before) {
			t.Errorf("roster has %d probes, want still %d", len(after), len(before))
		}
		if _, err := f.Join("eu-north-2", good); err != nil {
			t.Errorf("the good token: %v", err)
		}
	})
}

func flip(c byte) string {
	if c == 'A' {
		return "B"
	}
	return "A"
}

// TestRemovalEndsEverything removes a probe: its stream ends at once, and the
// mesh has forgotten it when the former key is.
func TestRemovalEndsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fleettest.New(t, slow())
		f.Wait(time.Minute)
		if got := f.Probes(); got["eu-north-1"].State != "connected" || got["eu-north-2"].State != "connected" {
			t.Fatalf("probes %v, want both connected", got)
		}
		f.Remove("eu-north-2")
		f.Wait(time.Second)
		if got := f.Probes(); len(got) != 1 {
			t.Errorf("roster %v after a removal, want eu-north-1 alone", got)
		}
		f.Wait(time.Hour + 15*time.Minute) // the former key is good for an hour
		if got := f.Peers("eu-north-1"); got != 1 {
			t.Errorf("the mesh has %d members after a removal, want 1", got)
		}
	})
}

// TestRenewalLeavesNoGap lets a probe live beyond the end of its first
// certificate, which is good for three hours in place of thirty days: it renews it
// when a third of that has passed, three times, and is never away.
func TestRenewalLeavesNoGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := slow()
		o.CertificateLife = 3 * time.Hour
		f := fleettest.New(t, o)
		first := f.CertificateEnd("eu-north-1")
		if left := time.Until(first); left != o.CertificateLife {
			t.Fatalf("first certificate is good for %s, want %s", left, o.CertificateLife)
		}
		connected := func() {
			t.Helper()
			if p := f.Probes()["eu-north-1"]; p.State != "connected" || time.Since(p.LastSeen) > time.Minute {
				t.Fatalf("%s: %+v, want connected", time.Now().Format(time.TimeOnly), p)
			}
		}
		for time.Since(first) < 30*time.Minute {
			f.Wait(5 * time.Minute)
			connected()
		}
		if got := f.CertificateEnd("eu-north-1").Sub(first); got < o.CertificateLife || got > o.CertificateLife*10/9 {
			t.Errorf("certificate ends %s after the first one, want three thirds of %s and a little", got, o.CertificateLife)
		}
		f.RestartProbe("eu-north-1") // with the certificate that it has on disk
		f.Wait(time.Minute)
		connected()
	})
}

// TestStreamTellsOfProbes stops a probe while somebody listens.
func TestStreamTellsOfProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fleettest.New(t, slow())
		f.Wait(time.Minute)
		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			time.Sleep(10 * time.Second)
			f.StopProbe("eu-north-2")
		}()
		events := f.Events(30 * time.Second)
		<-stopped
		for _, want := range []string{"event: probe", `"name":"eu-north-2"`, `"state":"silent"`} {
			if !strings.Contains(events, want) {
				t.Errorf("stream said %q, want %s", events, want)
			}
		}
		if strings.Contains(events, "eu-north-1") {
			t.Errorf("stream said %q, want nothing of a probe that did not change", events)
		}
	})
}

// TestProbeGoesOnWithItsPlan restarts a probe while there is no coordinator: it
// measures with the plan on its disk, and everything arrives later.
func TestProbeGoesOnWithItsPlan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fleettest.New(t, threeRegions())
		f.Wait(5 * time.Minute)
		f.StopCoordinator()
		f.RestartProbe("oceania-1")
		f.Wait(10 * time.Minute)
		f.StartCoordinator()
		f.Wait(2 * time.Minute)
		list := f.Observations(time.Time{}, time.Time{}, url.Values{"probe": {"oceania-1"}, "check": {"imap"}})
		var epochs []string
		for _, o := range list {
			if !slices.Contains(epochs, o.Epoch) {
				epochs = append(epochs, o.Epoch)
			}
		}
		if len(epochs) != 2 || len(list) < 32 {
			t.Errorf("%d observations in %d epochs, want 17 minutes of them in two", len(list), len(epochs))
		}
	})
}
