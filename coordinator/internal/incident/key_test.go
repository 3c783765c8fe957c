package incident_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"varde/checks"
	"varde/coordinator/internal/incident"
)

func key() incident.Key {
	return incident.Key{
		Service: "imap", Networks: []string{here}, Group: incident.Reach, Start: at("09:00"),
		Check: "imap-login", Region: "oceania", Family: v4,
	}
}

// An id is made of the key alone, and everything in the key makes another one.
func TestID(t *testing.T) {
	id := key().ID()
	if !regexp.MustCompile(`^2021-10-21-imap-[0-9a-hj-km-np-tv-z]{5}$`).MatchString(id) {
		t.Errorf("got %q", id)
	}
	local := key()
	local.Start = local.Start.In(time.FixedZone("", 7200))
	if got := local.ID(); got != id {
		t.Errorf("in another zone: got %s, want %s", got, id)
	}
	seen := []string{id}
	for _, change := range []func(*incident.Key){
		func(k *incident.Key) { k.Service = "webmail" }, func(k *incident.Key) { k.Networks = []string{there} },
		func(k *incident.Key) { k.Group = incident.Login }, func(k *incident.Key) { k.Start = at("09:01") },
		func(k *incident.Key) { k.Check = "imap-hello" }, func(k *incident.Key) { k.Region = "us-east" },
		func(k *incident.Key) { k.Family = v6 }, func(k *incident.Key) { k.Nth = 1 },
	} {
		k := key()
		change(&k)
		if slices.Contains(seen, k.ID()) {
			t.Errorf("%+v has the id of another, %s", k, k.ID())
		}
		seen = append(seen, k.ID())
	}
}

// One id for two keys does not go unnoticed.
func TestSame(t *testing.T) {
	a := incident.Incident{ID: key().ID(), Key: key()}
	for _, tt := range []struct {
		name   string
		change func(*incident.Incident)
		same   bool
		err    string
	}{
		{"itself", func(*incident.Incident) {}, true, ""},
		{"another", func(i *incident.Incident) { i.ID = "2021-10-21-imap-00000" }, false, ""},
		{"another with its id", func(i *incident.Incident) { i.Key.Region = "us-east" }, false, "which has the same id"},
		{"other networks", func(i *incident.Incident) { i.Key.Networks = nil }, false, "which has the same id"},
	} {
		b := a
		tt.change(&b)
		same, err := incident.Same(&a, &b)
		if same != tt.same || (err != nil) != (tt.err != "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: got %v, %v, want %v, %q", tt.name, same, err, tt.same, tt.err)
		}
	}
}

// An id that is taken is not given again.
func TestTakenID(t *testing.T) {
	change := turn("09:00", "imap-login", "oceania", down)
	first := only(t, told(change))
	b := incident.New(world(), incident.Policy{Taken: func(id string) bool { return id == first.ID }})
	b.Observe(change)
	if i := only(t, b); i.ID == first.ID || i.Key.Nth != 1 || i.ID != i.Key.ID() {
		t.Errorf("got %s of %+v, want another than %s", i.ID, i.Key, first.ID)
	}
}

// Every phase and every class has its group.
func TestGroups(t *testing.T) {
	phases := map[incident.Group][]checks.Phase{
		incident.Names: {checks.Resolve}, incident.Login: {checks.Auth},
		incident.Reach:    {checks.Connect, checks.TLS, checks.Greeting, checks.StartTLS, checks.Capability},
		incident.Answers:  {checks.Select, checks.Request, checks.FirstByte, checks.Body, checks.Logout, ""},
		incident.Delivery: {checks.Submit, checks.Deliver},
	}
	classes := map[incident.Group][]checks.Class{
		incident.Names: {checks.DNSTimeout, checks.DNSError},
		incident.Reach: {
			checks.ConnectTimeout, checks.ConnectRefused, checks.ConnectReset, checks.Unreachable, checks.TLSTimeout, checks.TLSError,
			checks.GreetingTimeout, checks.GreetingError,
		},
		incident.Certificate: {checks.CertExpired, checks.CertName, checks.CertUntrusted},
		incident.Login:       {checks.AuthTimeout, checks.AuthTempfail, checks.AuthRejected},
		incident.Answers:     {checks.Busy, checks.HTTPStatus, checks.BodyMismatch},
		incident.Delivery:    {checks.Late},
	}
	byPhase := []checks.Class{"", checks.CommandTimeout, checks.ProtocolError, checks.Closed, checks.Policy, checks.OwnNetwork, checks.OwnLate, checks.OwnError}
	covered := 0
	for want, list := range phases {
		for _, p := range list {
			for _, c := range byPhase {
				if got := incident.GroupOf(checks.IMAP, p, c); got != want {
					t.Errorf("%s, %s: got %s, want %s", p, c, got, want)
				}
			}
			if p != "" {
				covered++
			}
		}
	}
	if covered != len(checks.Phases()) {
		t.Errorf("%d phases are in the table, want %d", covered, len(checks.Phases()))
	}
	for want, list := range classes {
		for _, c := range list {
			for _, p := range checks.Phases() {
				if got := incident.GroupOf(checks.IMAP, p, c); got != want {
					t.Errorf("%s in %s: got %s, want %s", c, p, got, want)
				}
			}
		}
	}
	if got := incident.GroupOf(checks.RoundTrip, "", ""); got != incident.Delivery {
		t.Errorf("a round trip: got %s, want delivery", got)
	}
	if got := incident.GroupOf(checks.DNS, checks.Connect, checks.ConnectTimeout); got != incident.Names {
		t.Errorf("a look-up: got %s, want names", got)
	}
}
