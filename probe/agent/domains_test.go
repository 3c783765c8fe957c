package agent

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"varde/checks"
	ct "varde/checks/checktest"
	"varde/proto/wire"
)

// TestDomainIsLookedAtHourly: what a domain publishes is compared with its server
// soon and then once an hour, and not while the server turns the probe away.
func TestDomainIsLookedAtHourly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStation(t, func(p *wire.Plan) { p.Checks[0].Domain, p.Checks[0].Every = "example.net", time.Minute })
		ct.ServeNames(t, s.Host(ct.Resolver().Addr()), ct.Zone(
			". 300 IN SOA a.root-servers.net. nstld.example. 1 1 1 1 1",
			"example.net. 300 IN MX 10 mx.example.org.", ct.LabName+". 300 IN A 198.51.100.1",
		))
		a := s.run(t)
		events := func() (out []wire.Event) {
			records, err := a.spool.Next(a.spool.Epoch(), 0, 1000)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range records {
				if r.Event != nil {
					out = append(out, *r.Event)
				}
			}
			return out
		}
		begin := time.Now()
		time.Sleep(3*time.Hour + 10*time.Minute)
		got := events()
		if len(got) != 4 || got[0].At.Sub(begin) < time.Minute || got[0].At.Sub(begin) > 5*time.Minute {
			t.Fatalf("got %+v, want 4 in three hours, the first after 1 to 5 minutes", got)
		}
		want := &checks.Findings{Check: "smtp", Service: "smtp", List: []checks.Finding{
			{Code: "mx_missing", Detail: "mail for example.net goes to mx.example.org, expected mail.example.net among them"},
		}}
		if diff := cmp.Diff(want, got[0].Findings); diff != "" {
			t.Errorf("findings (-want +got):\n%s", diff)
		}
		s.Play(t, ":25", ct.Send("554 5.7.1 go away\r\n"))
		time.Sleep(2 * time.Hour)
		if n := len(events()); n < 4 || n > 5 { // one may come before the next run
			t.Errorf("%d events after the server refused us, want at most one more", n-4)
		}
		if len(a.status().Resting) != 1 {
			t.Errorf("left alone: got %+v, want the server", a.status().Resting)
		}
	})
}
