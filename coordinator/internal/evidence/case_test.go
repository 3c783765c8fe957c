package evidence

import (
	"cmp"
	"crypto/ed25519"
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	"varde/checks"
	"varde/coordinator/internal/history"
	"varde/coordinator/internal/incident"
	"varde/coordinator/internal/status"
	"varde/coordinator/internal/verdict"
	"varde/proto/wire"
)

var (
	started = time.Date(2026, 11, 22, 10, 2, 3, 0, time.UTC)
	key     = ed25519.NewKeyFromSeed([]byte("0123456789abcdef0123456789abcdef"))
)

// canary is a secret: where it stands it must not come out.
const canary = "correct-horse-battery"

// at is so many minutes after the incident began.
func at(minutes float64) time.Time {
	return started.Add(time.Duration(minutes * float64(time.Minute)))
}

// aCase is an incident of forty minutes in one of three regions, with a secret wherever
// one can stand.
func aCase() Case {
	series := verdict.Series{Check: "imap-login", Region: "oceania", Family: checks.IPv4}
	over := at(42)
	c := Case{
		Incident: incident.Case{
			Incident: incident.Incident{
				ID: "2026-11-22-imap-4k7qx", Stage: incident.Resolved, Started: started, Detected: at(0.5), Recovered: at(40), Resolved: over,
				Key: incident.Key{Service: "imap", Group: incident.Reach, Start: started.Truncate(time.Minute), Check: "imap-login", Region: "oceania", Family: checks.IPv4},
				Members: []incident.Member{{
					Series: series, Service: "imap", State: verdict.Up, Told: at(40), Worst: verdict.Down, Since: started, Until: at(40),
					Group: incident.Reach, Phase: checks.Connect, Class: checks.ConnectTimeout, Networks: []string{"192.0.2.0/24"},
					Counts: verdict.Counts{Down: 2}, Reason: "2 probes: connect_timeout",
				}},
				Steps: []incident.Step{
					{At: at(0.5), Kind: incident.Opened, Series: series, From: verdict.Up, To: verdict.Down, Words: "IMAP is unreachable from Oceania."},
					{At: at(40), Kind: incident.Shrunk, Series: series, From: verdict.Down, To: verdict.Up, Words: "IMAP works again from Oceania."},
				},
			},
			Edits: incident.Edits{Notes: []incident.Mark{{At: at(12), By: "Kari", Text: "Our carrier in Sydney has <no> answer yet."}}},
		},
		Signs: []incident.Sign{{Name: "null-route", Words: "TCP connects time out from Oceania, where the names still resolve: that looks like a filter on the way.", Basis: []string{series.String()}}},
		World: incident.World{
			Services: []incident.Service{{ID: "imap", Name: "IMAP"}, {ID: "webmail", Name: "Webmail"}},
			Checks: []incident.Check{
				{ID: "imap-login", Service: "imap", Kind: checks.IMAP, Every: 30 * time.Second}, {ID: "webmail", Service: "webmail", Kind: checks.HTTPS, Every: 30 * time.Second},
			},
			Regions: []status.Region{{ID: "eu-north", Name: "Northern Europe", Weight: 4}, {ID: "us-east", Name: "Eastern US", Weight: 2}, {ID: "oceania", Name: "Oceania", Weight: 1}},
		},
		From: started.Add(-Margin), Until: over.Add(Margin),
		Checks: secretive(), Plan: 7, FinalUntil: at(60),
		Moves:        []history.Annotation{{At: at(41), Check: "imap-login", Region: "oceania", Probe: "oceania-1", Family: checks.IPv4, Kind: history.AddressChanged, From: "192.0.2.25", To: "203.0.113.25"}},
		Probes:       []Probe{{Name: "oceania-1", Region: "oceania", Site: "syd2", ASN: 64496, Version: "0.5.0"}, {Name: "oceania-3", Region: "oceania", Site: "akl"}},
		Observations: aDay().all(), Coordinator: "c1", Version: "0.5.0", Written: at(200),
		Key: key, Authority: []byte("a certificate"),
	}
	c.Told, c.Final = verdicts(0.5), verdicts(0)
	return c
}

// secretive are checks with secrets.
func secretive() []checks.Target {
	login := &checks.Login{User: canary + "@example.net", Password: checks.Secret{File: "/etc/" + canary, Name: canary}}
	return []checks.Target{
		{
			ID: "imap-login", Service: "imap", Kind: checks.IMAP, URL: "imaps://mail.example.net", Login: login, Every: 30 * time.Second,
			CA: &checks.Authority{File: "/etc/" + canary, PEM: []byte(canary)},
		},
		{
			ID: "webmail", Service: "webmail", Kind: checks.HTTPS, URL: "https://user:" + canary + "@mail.example.net/login?token=" + canary + "#" + canary, Every: 30 * time.Second,
			Expect: checks.Expect{Body: canary, BodyRegexp: canary, Banner: canary, Answers: []string{canary}},
			WebOptions: checks.WebOptions{
				Headers: map[string]string{"Authorization": canary}, Client: &checks.ClientCertificate{Key: checks.Secret{File: canary, Name: canary}},
			},
			MailOptions: checks.MailOptions{Submit: &checks.Leg{URL: "submission://" + canary + "@mail.example.net", Login: login}, Receive: &checks.Leg{URL: "imaps://mail.example.net/?" + canary, Login: login}},
		},
	}
}

// verdicts are those of the case, told so many minutes late.
func verdicts(late float64) []Verdict {
	var out []Verdict
	for _, check := range []string{"imap-login", "webmail"} {
		for _, region := range []string{"eu-north", "oceania", "us-east"} {
			s := verdict.Series{Check: check, Region: region, Family: checks.IPv4}
			whole := Verdict{Series: s, State: verdict.Up, From: at(-60), Since: at(-600)}
			if check != "imap-login" || region != "oceania" {
				out = append(out, whole)
				continue
			}
			down, up := at(late), at(40+late)
			whole.To = &down
			out = append(out, whole,
				Verdict{
					Series: s, State: verdict.Down, From: down, To: &up, Since: started, Reason: "2 of 2 probes: connect_timeout", Counts: verdict.Counts{Down: 2},
					Evidence: &verdict.Evidence{Part: verdict.ByFailures, Figures: []verdict.Figure{{Name: "failures in a row", Got: 4, Needed: 3}}},
				},
				Verdict{Series: s, State: verdict.Up, From: up, Since: up, Reason: "3 good results in a row"})
		}
	}
	return out
}

// sight is a list of things that were seen.
type sight []Seen

func (s sight) all() iter.Seq2[Seen, error] {
	return func(yield func(Seen, error) bool) {
		for _, one := range s {
			if !yield(one, nil) {
				return
			}
		}
	}
}

// aDay is what two probes in each of three regions saw of the case.
func aDay() sight {
	var out sight
	seq := map[string]uint64{}
	for half := -120; half < 204; half++ {
		for _, region := range []string{"eu-north", "oceania", "us-east"} {
			for n := 1; n <= 2; n++ {
				for _, check := range []string{"imap-login", "webmail"} {
					probe := fmt.Sprintf("%s-%d", region, n)
					seq[probe]++
					out = append(out, one(probe, region, check, at(float64(half)/2+float64(n)*0.1), seq[probe]))
				}
			}
		}
	}
	gap := Seen{Batch: out[0].Batch, Gap: &wire.Gap{First: 5000, Last: 5009, From: at(30), To: at(33)}}
	gap.Batch.Probe, gap.Batch.Epoch = "eu-north-1", "019abf0000ff-0001"
	out = append(out, gap)
	slices.SortFunc(out, Seen.compare)
	return out
}

func one(probe, region, check string, start time.Time, seq uint64) Seen {
	took := time.Duration(80+(seq*7919)%60) * time.Millisecond
	o := checks.Observation{
		Check: check, Service: map[string]string{"imap-login": "imap", "webmail": "webmail"}[check], Probe: probe, Region: region, Family: checks.IPv4,
		Epoch: "019abf000000-0001", Seq: seq, Plan: 7, Scheduled: start, Started: start, Every: 30 * time.Second,
		Result: checks.Result{
			Outcome: checks.Up, Address: "192.0.2.25:993", Elapsed: took,
			Phases: []checks.PhaseTiming{{Name: checks.Connect, Duration: took / 2}, {Name: checks.TLS, Duration: took / 2}},
			TLS: &checks.Handshake{Version: "1.3", Chain: []checks.Certificate{{
				Subject: "mail.example.net", Issuer: "Test CA <1>", Names: []string{"mail.example.net"}, NotAfter: at(100_000), Key: fmt.Sprintf("%064x", 7),
			}}},
		},
	}
	if check == "imap-login" && region == "oceania" && !start.Before(started) && start.Before(at(40)) {
		o.Outcome, o.FailedPhase, o.Class, o.Elapsed = checks.Down, checks.Connect, checks.ConnectTimeout, 10*time.Second
		o.TLS, o.Phases, o.Detail = nil, []checks.PhaseTiming{{Name: checks.Connect, Duration: 10 * time.Second}}, "no answer to <SYN> within 10s"
	}
	if check == "webmail" && region == "us-east" && seq%97 == 0 {
		o.Outcome, o.FailedPhase, o.Class = checks.Unknown, checks.Connect, checks.OwnNetwork
	}
	b := wire.Batch{Probe: probe, Region: region, Site: "rack-1", Epoch: o.Epoch, Received: o.End().Add(time.Second), ClockKnown: true, ClockOffset: 12300 * time.Microsecond}
	return Seen{Batch: b, Observation: o}
}

func TestSeenIsInOrder(t *testing.T) {
	list := aDay()
	if !slices.IsSortedFunc(list, Seen.compare) || len(list) != 324*12+1 {
		t.Errorf("%d things were seen, in order: %v", len(list), slices.IsSortedFunc(list, Seen.compare))
	}
	for i := 1; i < len(list); i++ {
		if cmp.Compare(list[i-1].compare(list[i]), 0) == 0 {
			t.Fatalf("%+v stands there twice", list[i])
		}
	}
}
