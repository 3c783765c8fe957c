package ops

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"varde/checks"
	"varde/coordinator/internal/graph"
	"varde/coordinator/internal/mail"
	"varde/coordinator/internal/presence"
	"varde/coordinator/internal/verdict"
	"varde/proto/wire"
)

// morning is the time of the pages in tests.
var morning = time.Date(2026, 11, 22, 10, 20, 14, 0, time.UTC)

// dark is when Oceania went dark.
var dark = time.Date(2026, 11, 22, 7, 42, 10, 0, time.UTC)

var errBroken = errors.New("disk is gone")

// fake is a fleet of fourteen probes in five regions that watches twelve
// checks. Its numbers are the same every time.
type fake struct {
	now Now
	// began is when the oldest observation of every check was made.
	began time.Time
	rtt   map[string]float64
	// last are the last known verdicts of those that are unknown.
	last map[verdict.Series]verdict.State

	// strips are those of every matrix; they are made anew for each where there are none.
	strips []Strip

	// routes, mails, presented, annotations and findings are empty in most tests.
	routes      []mail.Route
	mails       []checks.MailEvent
	presented   []Presented
	annotations []Annotation
	findings    []Findings

	mu      sync.Mutex
	fail    error
	calls   map[string]int
	asked   AvailabilityQuery
	latency LatencyQuery
	seen    CheckQuery
	// windows are announced for whatever check is asked.
	windows []Window
	listed  []ObservationQuery
	mailed  MailQuery
	delayed MailQuery
	noted   AnnotationQuery

	numbered []NumbersQuery
}

func newFake() *fake {
	f := &fake{began: morning.Add(-400 * 24 * time.Hour), calls: map[string]int{}, rtt: map[string]float64{"eu-north": 9, "eu-central": 24, "us-east": 92, "asia-se": 172, "oceania": 285}}
	f.now = Now{At: morning, Coordinator: "c1", Plan: 418}
	for i, r := range [][2]string{{"eu-north", "Northern Europe"}, {"eu-central", "Central Europe"}, {"us-east", "Eastern US"}, {"asia-se", "Southeast Asia"}, {"oceania", "Oceania"}} {
		f.now.Regions = append(f.now.Regions, Region{r[0], r[1], 1, morning.Add(-time.Duration(2+i) * time.Second)})
	}
	for _, s := range [][2]string{{"webmail", "Webmail"}, {"imap", "IMAP"}, {"smtp", "Outgoing mail"}, {"mx", "Incoming mail"}, {"dav", "Calendar"}} {
		f.now.Services = append(f.now.Services, Service{ID: s[0], Name: s[1], SLO: 99.9})
	}
	for _, c := range [][4]string{
		{"webmail-home", "webmail", "https", "https://mail.fjordmail.example/"},
		{"webmail-login", "webmail", "https", "https://mail.fjordmail.example/login"},
		{"imap-login", "imap", "imap", "imaps://mail.fjordmail.example"},
		{"imap-starttls", "imap", "imap", "imap://mail.fjordmail.example"},
		{"submission", "smtp", "smtp", "submission://mail.fjordmail.example"},
		{"smtps", "smtp", "smtp", "smtps://mail.fjordmail.example:1465"},
		{"mx1", "mx", "smtp", "smtp://mx1.fjordmail.example"},
		{"mx2", "mx", "smtp", "smtp://mx2.fjordmail.example"},
		{"dav", "dav", "https", "https://dav.fjordmail.example/"},
	} {
		t := checks.Target{ID: c[0], Service: c[1], Kind: checks.Kind(c[2]), URL: c[3], Every: 30 * time.Second}
		if c[0] == "imap-login" {
			t.Expect.Mailbox = "INBOX"
		}
		f.now.Checks = append(f.now.Checks, t)
		for _, r := range f.now.Regions {
			f.now.Verdicts = append(f.now.Verdicts, f.verdict(t, r.ID, checks.IPv4), f.verdict(t, r.ID, checks.IPv6))
		}
	}
	f.roster()
	f.changes()
	return f
}

func (f *fake) verdict(t checks.Target, region string, family checks.Family) Verdict {
	v := Verdict{
		Series: verdict.Series{Check: t.ID, Region: region, Family: family}, Service: t.Service, State: verdict.Up,
		Since: morning.Add(-12 * 24 * time.Hour), Counts: verdict.Counts{Up: 3},
	}
	switch {
	case region == "oceania" && (t.Service == "imap" || t.Service == "smtp"):
		v.State, v.Since, v.Counts = verdict.Down, dark, verdict.Counts{Down: 3}
		v.Reason = "the last 4 runs failed with connect_timeout, 3 of 3 probes, 21 s after the first failure"
	case region == "us-east" && t.Service == "webmail":
		v.State, v.Since, v.Counts = verdict.Intermittent, dark.Add(37*time.Minute), verdict.Counts{Up: 2, Down: 1}
		v.Reason = "24 of 144 runs failed in tls"
	case region == "eu-central" && t.ID == "dav" && family == checks.IPv6:
		v.State, v.Since, v.Reason = verdict.Slow, morning.Add(-52*time.Minute), "first_byte p50 2.1 s, usually 0.2 s"
	case region == "asia-se" && t.ID == "mx2":
		v.State, v.Since, v.Counts, v.Reason = verdict.Unknown, morning.Add(-11*time.Minute), verdict.Counts{Up: 1, Unknown: 1}, "1 probe has a current result, 2 are needed"
	}
	return v
}

func (f *fake) roster() {
	for i, p := range []struct {
		name, region string
		asn          uint32
	}{
		{"osl-1", "eu-north", 2116},
		{"osl-2", "eu-north", 56655},
		{"sto-1", "eu-north", 1257},
		{"fra-1", "eu-central", 24940},
		{"fra-2", "eu-central", 51167},
		{"vie-1", "eu-central", 8447},
		{"iad-1", "us-east", 14061},
		{"iad-2", "us-east", 20473},
		{"nyc-1", "us-east", 63949},
		{"sin-1", "asia-se", 45102},
		{"kul-1", "asia-se", 4788},
		{"syd-1", "oceania", 7545},
		{"mel-1", "oceania", 9443},
		{"akl-1", "oceania", 9500},
	} {
		probe := Probe{
			Name: p.name, Region: p.region, Site: p.name[:3], ASN: p.asn, Version: "0.1.0", State: presence.Connected, Plan: 418,
			LastSeen: morning.Add(-time.Duration(2+i*3%11) * time.Second), ClockOffset: new(time.Duration(i*7%19-9) * time.Millisecond),
			Epoch: "01a1f33fbcb8-9b1c0d2e", MeshAddress: fmt.Sprintf("192.0.2.%d:7946", 10+i), RelayedSince: morning.Add(-3 * 24 * time.Hour),
			Counts: wire.Counts{Runs: uint64(180_000 + i)},
		}
		switch p.name {
		case "osl-1":
			probe.Qualified = wire.Qualified
		case "fra-2":
			probe.Qualified, probe.QualifiedSince, probe.Reason, probe.Spool = wire.Disqualified, morning.Add(-29*time.Minute), "0 of 3 controls answer over ipv4", 12
			probe.Counts.Disqualified = 58
		case "mel-1":
			probe.Relay, probe.RelayedSince = "akl-1", morning.Add(-38*time.Minute)
			probe.Counts.RelayUsed = 3
		case "akl-1":
			probe.Faults, probe.LostAt = []wire.Fault{wire.FaultUDPBlocked}, morning.Add(-2*time.Hour)
			probe.Counts.Dropped, probe.Counts.Relayed = 1204, 3
			probe.Peers = []string{"akl-1", "mel-1", "syd-1"}
		case "kul-1":
			probe.State, probe.LastSeen, probe.Plan = presence.Silent, morning.Add(-11*time.Minute), 417
		}
		f.now.Probes = append(f.now.Probes, probe)
	}
}

func (f *fake) changes() {
	add := func(at time.Time, check, region string, from, to verdict.State, reason string) {
		f.now.Changes = append(f.now.Changes, verdict.Change{
			Series: verdict.Series{Check: check, Region: region, Family: checks.IPv4}, From: from, To: to, At: at, Since: at.Add(-21 * time.Second), Reason: reason,
		})
	}
	add(morning.Add(-11*time.Minute), "mx2", "asia-se", verdict.Up, verdict.Unknown, "1 probe has a current result, 2 are needed")
	add(morning.Add(-52*time.Minute), "dav", "eu-central", verdict.Up, verdict.Slow, "first_byte p50 2.1 s, usually 0.2 s")
	add(dark.Add(37*time.Minute), "webmail-home", "us-east", verdict.Up, verdict.Intermittent, "24 of 144 runs failed in tls")
	for _, c := range []string{"smtps", "submission", "imap-starttls", "imap-login"} {
		add(dark.Add(21*time.Second), c, "oceania", verdict.Up, verdict.Down, "the last 4 runs failed with connect_timeout, 3 of 3 probes, 21 s after the first failure")
	}
	add(morning.Add(-12*time.Hour-14*time.Minute), "imap-login", "eu-north", verdict.Down, verdict.Up, "3 good results in a row from 3 probes")
	add(morning.Add(-12*time.Hour-16*time.Minute), "imap-login", "eu-north", verdict.Up, verdict.Down, "the last 4 runs failed with greeting_timeout, 3 of 3 probes")
}

func (f *fake) count(what string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls[what]++
	return f.fail
}

func (f *fake) breaks(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail = err
}

func (f *fake) Now(context.Context) (Now, error) { return f.now, f.count("now") }

func (f *fake) tally(check, region string, w graph.Window, k int) graph.Tally {
	from, to := w.Start(k), w.Start(k+1)
	t := graph.Tally{Length: min(w.Step, morning.Sub(from)), Coverage: 1}
	part := func(a, b time.Time) time.Duration {
		return max(0, time.Duration(math.Min(float64(b.Sub(from)), float64(w.Step))-math.Max(float64(a.Sub(from)), 0)))
	}
	service := ""
	for _, c := range f.now.Checks {
		if c.ID == check {
			service = c.Service
		}
	}
	switch {
	case region == "oceania" && (service == "imap" || service == "smtp"):
		t.Down = part(dark, morning)
	case region == "us-east" && service == "webmail":
		t.Intermittent, t.Failed = part(dark.Add(37*time.Minute), morning), 0.17
	case region == "eu-central" && check == "dav":
		t.Slow = part(morning.Add(-52*time.Minute), morning)
	case region == "eu-north" && check == "imap-login":
		t.Down = part(morning.Add(-12*time.Hour-16*time.Minute), morning.Add(-12*time.Hour-14*time.Minute))
	case region == "asia-se" && from.Before(morning.Add(-14*time.Hour)) && to.After(morning.Add(-15*time.Hour)):
		t.Coverage = 0
	}
	return t
}

func (f *fake) Matrix(_ context.Context, w graph.Window) ([]Strip, error) {
	if f.strips != nil {
		return f.strips, f.count("matrix")
	}
	var out []Strip
	for i, c := range f.now.Checks {
		for _, r := range f.now.Regions {
			s := Strip{Check: c.ID, Region: r.ID, P50: time.Duration((5*f.rtt[r.ID] + 30 + float64(i)*7) * float64(time.Millisecond))}
			for k := range w.Cells() {
				s.Tallies = append(s.Tallies, f.tally(c.ID, r.ID, w, k))
			}
			if last := s.Tallies[len(s.Tallies)-1]; last.Down > 0 {
				s.Phase, s.P50 = checks.Connect, 0
			} else if last.Intermittent > 0 {
				s.Phase = checks.TLS
			}
			out = append(out, s)
		}
	}
	return out, f.count("matrix")
}

func imapPhases() []checks.Phase {
	return []checks.Phase{checks.Resolve, checks.Connect, checks.TLS, checks.Greeting, checks.Auth, checks.Select}
}

func ms(v float64) time.Duration { return time.Duration(v * float64(time.Millisecond)) }

// Probe is of a probe that lost its network for half an hour, whose spool waited as long,
// and whose clock was set three hours ago when its program started.
func (f *fake) Probe(_ context.Context, probe string, w graph.Window) (ProbeHistory, error) {
	if err := f.count("probe"); err != nil {
		return ProbeHistory{}, err
	}
	if probe == "kul-1" || probe == "new-1" {
		return ProbeHistory{}, nil
	}
	began := f.now.At.Add(-3 * time.Hour)
	h := ProbeHistory{Starts: []time.Time{began}}
	rnd := rand.New(rand.NewPCG(5, 6))
	for k := range w.Cells() {
		at := w.Start(k)
		p := Pulse{At: at, Runs: 120 * int(w.Step/(5*time.Minute)), Waited: time.Duration(300+rnd.IntN(600)) * time.Millisecond, ClockKnown: true}
		p.ClockLow = time.Duration(rnd.IntN(8)) * time.Millisecond
		switch since := f.now.At.Sub(at); {
		case since > 20*time.Hour && since < 21*time.Hour:
			continue // nothing came
		case since > 6*time.Hour && since < 6*time.Hour+30*time.Minute:
			p.OwnNetwork, p.Waited, p.ClockKnown = p.Runs, 31*time.Minute, false
		case since > 3*time.Hour:
			p.ClockLow -= since / time.Hour * 2 * time.Second
		case since < time.Hour:
			p.Down = 3
		}
		if p.ClockKnown {
			p.ClockHigh = p.ClockLow + time.Duration(rnd.IntN(9))*time.Millisecond
		} else {
			p.ClockLow = 0
		}
		h.Pulses = append(h.Pulses, p)
	}
	return h, nil
}

func (f *fake) Check(_ context.Context, q CheckQuery) (CheckHistory, error) {
	check, w := q.Check, q.Window
	f.mu.Lock()
	f.seen = q
	f.mu.Unlock()
	h := CheckHistory{Windows: f.windows, Classes: []ClassHistory{
		{Class: checks.ConnectTimeout, Regions: []string{"oceania"}, Counts: make([]int, w.Cells())},
		{Class: checks.GreetingTimeout, Regions: []string{"eu-north"}, Counts: make([]int, w.Cells())},
		{Class: checks.OwnNetwork, Regions: []string{"eu-central"}, Counts: make([]int, w.Cells())},
		{Class: checks.Busy, Regions: []string{"eu-north", "us-east", "oceania"}, Counts: make([]int, w.Cells())},
	}}
	for i, r := range f.now.Regions {
		if q.Region != "" && q.Region != r.ID {
			continue
		}
		rnd := rand.New(rand.NewPCG(7, uint64(i)))
		reg := CheckRegion{Region: r.ID, Phases: imapPhases(), Coverage: 1, Uptime: graph.Ratio{Value: 1 - float64(i)/40, Known: true}}
		wander := 0.0
		for k := range w.Cells() {
			t := f.tally(check, r.ID, w, k)
			reg.Tallies = append(reg.Tallies, t)
			switch {
			case r.ID == "oceania" && t.Down > 0:
				h.Classes[0].Counts[k] = 60
			case r.ID == "eu-north" && t.Down > 0:
				h.Classes[1].Counts[k] = 22
			case r.ID == "eu-central" && k > w.Cells()-7:
				h.Classes[2].Counts[k] = 20
			}
			if k%47 == 11 {
				h.Classes[3].Counts[k] = 1
			}
			if t.Coverage == 0 || t.Down > t.Length/2 {
				continue
			}
			wander = 0.9*wander + 0.008*rnd.NormFloat64()
			p50 := (5*f.rtt[r.ID] + 32) * (1 + wander)
			p95 := p50*(1.16+math.Abs(0.06*rnd.NormFloat64())) + 14*rnd.ExpFloat64()
			p99 := p95*(1.15+math.Abs(0.16*rnd.NormFloat64())) + 40*rnd.ExpFloat64()
			reg.Latency = append(reg.Latency, graph.LatencyPoint{At: w.Start(k), N: 60, P50: ms(p50), P95: ms(p95), P99: ms(p99)})
			rtt := f.rtt[r.ID] * (1 + wander)
			reg.Medians = append(reg.Medians, graph.StackPoint{At: w.Start(k), Medians: []time.Duration{ms(2), ms(rtt), ms(rtt + 5), ms(rtt + 1), ms(rtt + 22), ms(rtt + 4)}})
		}
		h.Regions = append(h.Regions, reg)
	}
	return h, f.count("check")
}

func (f *fake) Availability(_ context.Context, q AvailabilityQuery) (Availability, error) {
	f.mu.Lock()
	f.asked = q
	f.mu.Unlock()
	s := Sums{Ratio: graph.Ratio{Value: 0.9975, Known: true}, Coverage: 0.992, Up: 23 * time.Hour, Down: 3 * time.Minute, Unknown: 12 * time.Minute, Low: 0.996, High: 0.9985, WithoutMaintenance: graph.Ratio{Value: 0.998, Known: true}}
	return Availability{Sums: s, Points: []AvailabilityPoint{{q.From, s}, {q.From.Add(q.Step), Sums{Unknown: q.Step}}}}, f.count("availability")
}

func (f *fake) Latency(_ context.Context, q LatencyQuery) ([]graph.LatencyPoint, error) {
	f.mu.Lock()
	f.latency = q
	f.mu.Unlock()
	return []graph.LatencyPoint{{At: q.From, N: 60, P50: ms(83.14), P95: ms(120), P99: ms(200.06)}, {At: q.From.Add(q.Step)}}, f.count("latency")
}

func (f *fake) Last(_ context.Context, s verdict.Series, _ time.Time) (verdict.State, time.Time, error) {
	if last, ok := f.last[s]; ok {
		return last, morning.Add(-11 * time.Minute), f.count("last")
	}
	return verdict.Unknown, time.Time{}, f.count("last")
}

func (f *fake) Began(context.Context, string) (time.Time, error) { return f.began, f.count("began") }

func (f *fake) Observations(_ context.Context, q ObservationQuery) ([]checks.Observation, Cursor, error) {
	f.mu.Lock()
	f.listed = append(f.listed, q)
	f.mu.Unlock()
	var out []checks.Observation
	var next Cursor
	for i := range 400 {
		o := f.observation(i)
		if o.Check != q.Check && q.Check != "" || o.Probe != q.Probe && q.Probe != "" || o.Seq != q.Seq && q.Seq != 0 {
			continue
		}
		if len(q.Outcomes) > 0 && o.Outcome != q.Outcomes[0] || !q.To.IsZero() && !o.End().Before(q.To) {
			continue
		}
		if out = append(out, o); len(out) == q.Limit {
			next = Cursor{o.End(), o.Probe, o.Epoch, o.Seq}
			break
		}
	}
	return out, next, f.count("observations")
}

// observation is the i-th newest run of imap-login.
func (f *fake) observation(i int) checks.Observation {
	p := f.now.Probes[(i*3+11)%len(f.now.Probes)]
	at := morning.Add(-time.Duration(1900*i+12300) * time.Millisecond)
	o := checks.Observation{
		Check: "imap-login", Service: "imap", Probe: p.Name, Region: p.Region, Family: checks.IPv4, Epoch: "0192f3a1c2d4-9b1c", Seq: uint64(41207 - i),
		Plan: 418, Scheduled: at.Truncate(time.Second), Started: at, Every: 30 * time.Second,
	}
	if i%3 == 1 {
		o.Family = checks.IPv6
	}
	o.Outcome, o.Address = checks.Up, "203.0.113.25:993"
	rtt := f.rtt[p.Region]
	for k, ph := range imapPhases() {
		d := ms(rtt + float64(k*2))
		if ph == checks.Resolve {
			d = ms(1.4)
		}
		o.Phases = append(o.Phases, checks.PhaseTiming{Name: ph, Duration: d})
		o.Elapsed += d
	}
	switch {
	case p.Region == "oceania" && i < 300:
		o.Outcome, o.FailedPhase, o.Class, o.Detail = checks.Down, checks.Connect, checks.ConnectTimeout, "no answer to SYN within 4 s"
		o.Phases = []checks.PhaseTiming{{Name: checks.Resolve, Duration: ms(1.4)}, {Name: checks.Connect, Duration: 4 * time.Second}}
		o.Elapsed = ms(4001.4)
		if i%4 == 0 {
			o.Trigger = checks.Confirm
		}
	case p.Name == "fra-2":
		o.Outcome, o.FailedPhase, o.Class, o.Detail = checks.Unknown, checks.Connect, checks.OwnNetwork, "0 of 3 controls answer"
		o.Phases, o.Elapsed = o.Phases[:2], ms(4001)
	}
	return o
}

var (
	_ Live         = (*fake)(nil)
	_ History      = (*fake)(nil)
	_ Observations = (*fake)(nil)
)

func newServer(t testing.TB, f *fake, change func(*Options)) *Server {
	t.Helper()
	o := Options{Live: f, History: f, Observations: f, Ledger: f, Servers: f, Logger: slog.New(slog.DiscardHandler), Listen: "127.0.0.1:8081"}
	if change != nil {
		change(&o)
	}
	s, err := New(o)
	if err != nil {
		t.Fatalf("make server: %v", err)
	}
	return s
}
