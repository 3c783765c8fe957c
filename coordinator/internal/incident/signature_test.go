package incident_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"varde/checks"
	"varde/coordinator/internal/incident"
	"varde/coordinator/internal/verdict"
)

// facts changes what is known beside an incident.
type facts func(*incident.Facts)

func reading(check, region string, s verdict.State, networks ...string) facts {
	return func(f *incident.Facts) {
		f.Readings = append(f.Readings, incident.Reading{Series: series(check, region), State: s, Networks: networks})
	}
}

func over6(check, region string, s verdict.State) facts {
	return func(f *incident.Facts) {
		f.Readings = append(f.Readings, incident.Reading{Series: verdict.Series{Check: check, Region: region, Family: v6}, State: s})
	}
}

// runs are n samples of one kind.
func runs(n int, check string, class checks.Class, detail string, connects ...time.Duration) facts {
	return func(f *incident.Facts) {
		for k := range n {
			o := checks.Observation{Check: check, Region: "oceania", Family: v4, Probe: fmt.Sprintf("syd-%d", k%2+1), Result: checks.Result{Class: class, Detail: detail, Outcome: class.Outcome()}}
			if len(connects) > 0 {
				o.Phases = []checks.PhaseTiming{{Name: checks.Connect, Duration: connects[k%len(connects)]}}
			}
			f.Samples = append(f.Samples, o)
		}
	}
}

func usually(connect time.Duration) facts {
	return func(f *incident.Facts) {
		f.Usual = append(f.Usual, incident.Usual{Series: series("imap-login", "oceania"), Connect: connect})
	}
}

func shift(clock, check, what string) facts {
	return func(f *incident.Facts) {
		f.Shifts = append(f.Shifts, incident.Shift{At: at(clock), Check: check, Region: "oceania", What: what, From: "old", To: "new"})
	}
}

// Each row of the table is found, and what nearly is one is not.
func TestSigns(t *testing.T) {
	const ms = time.Millisecond
	dead := func(class checks.Class) []verdict.Change {
		return []verdict.Change{turn("09:00", "imap-login", "oceania", down, in("", class))}
	}
	dark := dead(checks.ConnectTimeout)
	wide := append(dead(checks.ConnectTimeout), turn("09:00", "imap-login", "us-east", down))
	for _, tt := range []struct {
		sign    string
		name    string
		changes []verdict.Change
		facts   []facts
		// want is what is said, nothing where the row must not fit.
		want string
	}{
		{
			"names", "the addresses answer", dead(checks.DNSTimeout),
			[]facts{runs(5, "imap-login", checks.DNSTimeout, "no answer within 3s; addresses still answer")},
			"The names of IMAP (imap-login) are not resolved from Oceania, while the addresses known before answer: looks like trouble of whoever serves the names, not of the mail servers.",
		},
		{"names", "they do not", dead(checks.DNSTimeout), []facts{runs(5, "imap-login", checks.DNSTimeout, "no answer within 3s")}, ""},
		{
			"everywhere", "two regions, and nowhere does it work", wide,
			[]facts{reading("imap-login", "eu-north", unknown)},
			"TCP connects to IMAP (imap-login) time out from Oceania and Eastern US, and work from no region that was measured: looks like saturated lines, a null route, or a protection that is down as a whole.",
		},
		{
			"everywhere", "what is beside it", wide,
			[]facts{reading("web", "oceania", down, here), reading("post", "oceania", up, here), reading("post", "us-east", up, there)},
			"TCP connects to IMAP (imap-login) time out from Oceania and Eastern US, and work from no region that was measured; Webmail on the same network fails too; Post on the same network works: looks like saturated lines, a null route, or a protection that is down as a whole.",
		},
		{"everywhere", "one region alone", dark, nil, ""},
		{"everywhere", "it works somewhere", wide, []facts{reading("imap-login", "eu-north", up)}, ""},
		{"everywhere", "other trouble", []verdict.Change{turn("09:00", "imap-login", "oceania", down, in("", checks.TLSTimeout)), turn("09:00", "imap-login", "us-east", down, in("", checks.TLSTimeout))}, nil, ""},
		{
			"somewhere", "it works elsewhere", dark,
			[]facts{reading("imap-login", "eu-north", up), reading("imap-hello", "us-east", up)},
			"TCP connects to IMAP (imap-login) time out from Oceania and work from Northern Europe and Eastern US: looks like filtering by region, one site of a protection, or a broken path.",
		},
		{"somewhere", "another service works elsewhere", dark, []facts{reading("web", "eu-north", up)}, ""},
		{"somewhere", "elsewhere nobody knows", dark, []facts{reading("imap-login", "eu-north", unknown)}, ""},
		{
			"retransmits", "one, three and seven seconds", dark,
			[]facts{runs(6, "imap-login", "", "", 1020*ms, 3040*ms, 7150*ms), runs(9, "imap-login", "", "", 20*ms), runs(5, "imap-login", "", "", 2000*ms)},
			"TCP connects that took long took 1, 3 or 7 s, and hardly any a time between: looks like lost packets (the first one is sent again after 1, 3 and 7 s), not a dead server.",
		},
		{"retransmits", "any time", dark, []facts{runs(8, "imap-login", "", "", 800*ms, 1100*ms, 1700*ms, 2400*ms)}, ""},
		{"retransmits", "two of them", dark, []facts{runs(2, "imap-login", "", "", 1020*ms)}, ""},
		{"retransmits", "connects that did not come about", dark, []facts{func(f *incident.Facts) {
			runs(9, "imap-login", checks.ConnectTimeout, "", 3000*ms)(f)
			for k := range f.Samples {
				f.Samples[k].FailedPhase = checks.Connect
			}
		}}, ""},
		{
			"refused", "refused", dead(checks.ConnectRefused), nil,
			"TCP connects to IMAP (imap-login) are answered with a refusal from Oceania: looks like a program that is not running, or a filter that answers for it.",
		},
		{
			"refused", "reset", dead(checks.ConnectReset), nil,
			"TCP connects to IMAP (imap-login) are answered with a refusal from Oceania: looks like a program that is not running, or a filter that answers for it.",
		},
		{"refused", "silence", dark, nil, ""},
		{
			"unreachable", "unreachable", dead(checks.Unreachable), nil,
			"Routers on the way to IMAP (imap-login) say that there is none, from Oceania: looks like a null route, or a filter that says so.",
		},
		{"unreachable", "silence", dark, nil, ""},
		{
			"proxy", "fast, then silence", dead(checks.TLSTimeout),
			[]facts{usually(250 * ms), runs(4, "imap-login", checks.TLSTimeout, "", 8*ms)},
			"TCP connects come about in less than half of the usual time, and then nobody speaks: looks like a protection that accepts connects for a server which it does not reach.",
		},
		{"proxy", "as fast as usual", dead(checks.TLSTimeout), []facts{usually(250 * ms), runs(4, "imap-login", checks.TLSTimeout, "", 240*ms)}, ""},
		{"proxy", "fast, and it speaks", dead(checks.AuthTimeout), []facts{usually(250 * ms), runs(4, "imap-login", checks.AuthTimeout, "", 8*ms)}, ""},
		{"proxy", "nobody knows what is usual", dead(checks.TLSTimeout), []facts{runs(4, "imap-login", checks.TLSTimeout, "", 8*ms)}, ""},
		{"proxy", "too near to tell", dead(checks.TLSTimeout), []facts{usually(4 * ms), runs(4, "imap-login", checks.TLSTimeout, "", 1*ms)}, ""},
		{"proxy", "a few of many", dead(checks.TLSTimeout), []facts{usually(250 * ms), runs(4, "imap-login", checks.TLSTimeout, "", 8*ms), runs(5, "imap-login", checks.TLSTimeout, "", 240*ms)}, ""},
		{
			"handshake", "it gets no answer", dead(checks.TLSTimeout),
			[]facts{usually(250 * ms), runs(4, "imap-login", checks.TLSTimeout, "", 240*ms)},
			"TCP connects to IMAP (imap-login) come about and the TLS handshake gets no answer, from Oceania: looks like a server without computing time to spare, or large packets that are lost on a detour.",
		},
		{"handshake", "somebody else took the connect", dead(checks.TLSTimeout), []facts{usually(250 * ms), runs(4, "imap-login", checks.TLSTimeout, "", 8*ms)}, ""},
		{"handshake", "it gets a wrong one", dead(checks.TLSError), nil, ""},
		{
			"moved", "shortly before", dark,
			[]facts{shift("08:00", "imap-login", "address"), shift("08:30", "imap-hello", "issuer")},
			"The address and the issuer of the certificate of IMAP changed: looks like a move behind a protection, or to other servers.",
		},
		{"moved", "long before", dark, []facts{shift("07:59:59", "imap-login", "address")}, ""},
		{"moved", "another service", dark, []facts{shift("08:30", "web", "address")}, ""},
		{"moved", "afterwards", append(dark, turn("09:10", "imap-login", "oceania", up)), []facts{shift("09:11", "imap-login", "address")}, ""},
		{
			"overload", "busy", dead(checks.Busy), nil,
			"The server says that it is busy, of IMAP (imap-login) from Oceania: looks like an overloaded server.",
		},
		{
			"overload", "no greeting", dead(checks.GreetingTimeout), nil,
			"The greeting does not come, of IMAP (imap-login) from Oceania: looks like an overloaded server.",
		},
		{"overload", "not a greeting", dead(checks.GreetingError), nil, ""},
		{"overload", "nobody greets behind a protection", dead(checks.GreetingTimeout), []facts{usually(250 * ms), runs(4, "imap-login", checks.GreetingTimeout, "", 8*ms)}, ""},
		{
			"logins", "logins alone", dead(checks.AuthTempfail),
			[]facts{reading("imap-hello", "oceania", up), reading("imap-hello", "us-east", down)},
			"Logins to IMAP (imap-login) fail or take long from Oceania, and everything before them works: looks like trouble of the authentication back end.",
		},
		{"logins", "one of them became more", append(dead(checks.AuthTimeout), turn("09:01", "imap-login", "us-east", slow, in(checks.Auth, "")), turn("09:02", "imap-login", "us-east", down)), nil, ""},
		{"logins", "what asks for none fails too", dead(checks.AuthTimeout), []facts{reading("imap-hello", "oceania", down)}, ""},
		{"logins", "the whole server", dead(checks.GreetingTimeout), nil, ""},
		{
			"wall", "most are",
			[]verdict.Change{turn("09:00", "web", "oceania", down, in("", checks.HTTPStatus))},
			[]facts{runs(4, "web", checks.HTTPStatus, "503 Service Unavailable, expected 200"), runs(2, "web", checks.Policy, "429 Too Many Requests"), runs(3, "web", checks.HTTPStatus, "500 Internal Server Error, expected 200")},
			"Webmail answers with the HTTP status 429 and 503: looks like a wall that browsers may pass and mail programs may not.",
		},
		{"wall", "another status", []verdict.Change{turn("09:00", "web", "oceania", down, in("", checks.HTTPStatus))}, []facts{runs(9, "web", checks.HTTPStatus, "500 Internal Server Error, expected 200")}, ""},
		{"wall", "a few of many", []verdict.Change{turn("09:00", "web", "oceania", down, in("", checks.HTTPStatus))}, []facts{runs(3, "web", checks.HTTPStatus, "403 Forbidden"), runs(4, "web", checks.HTTPStatus, "500")}, ""},
		{"wall", "another protocol", dark, []facts{runs(9, "imap-login", checks.Policy, "403 go away")}, ""},
		{
			"family", "the other works", dark,
			[]facts{over6("imap-login", "oceania", up)},
			"IMAP (imap-login) fails over IPv4 alone; over IPv6 the same checks are well: looks like a family that the protection or the routing leaves out.",
		},
		{"family", "nobody knows the other", dark, []facts{over6("imap-login", "oceania", unknown), over6("imap-login", "us-east", up)}, ""},
		{"family", "the other is slow", append(wide, turn("09:01", "imap-login", "oceania", slow, over(v6))), []facts{over6("imap-login", "oceania", slow)}, ""},
		{
			"detour", "longer than usual", dark,
			[]facts{usually(40 * ms), runs(5, "imap-login", "", "", 90*ms), runs(5, "imap-login", "", "", 41*ms)},
			"TCP connects from Oceania come about, and take half as long again as usual or more: looks like traffic that is led another way, as through a protection.",
		},
		{"detour", "a little longer", dark, []facts{usually(40 * ms), runs(5, "imap-login", "", "", 59*ms)}, ""},
		{"detour", "a few of many", dark, []facts{usually(40 * ms), runs(5, "imap-login", "", "", 90*ms), runs(6, "imap-login", "", "", 41*ms)}, ""},
		{"detour", "lost packets", dark, []facts{usually(40 * ms), runs(9, "imap-login", "", "", 1041*ms)}, ""},
		{
			"ours", "a probe", dark,
			[]facts{runs(8, "imap-login", checks.OwnNetwork, ""), runs(4, "imap-login", checks.ConnectTimeout, "")},
			"The control targets of syd-1 and syd-2 failed too: looks like trouble of our own there, which says nothing of the service.",
		},
		{"ours", "now and then", dark, []facts{runs(8, "imap-login", checks.OwnNetwork, ""), runs(10, "imap-login", checks.ConnectTimeout, "")}, ""},
	} {
		t.Run(tt.sign+"/"+tt.name, func(t *testing.T) {
			var f incident.Facts
			for _, add := range tt.facts {
				add(&f)
			}
			i := told(tt.changes...).Incidents()[0]
			signs := incident.Signs(world(), i, f)
			k := slices.IndexFunc(signs, func(s incident.Sign) bool { return s.Name == tt.sign })
			switch {
			case k < 0 && tt.want != "":
				t.Errorf("got %+v, want %s", signs, tt.sign)
			case k >= 0 && signs[k].Words != tt.want:
				t.Errorf("got\n%q, want\n%q", signs[k].Words, tt.want)
			case k >= 0 && (len(signs[k].Basis) == 0 || slices.Contains(signs[k].Basis, "")):
				t.Errorf("it rests on %q", signs[k].Basis)
			}
		})
	}
}

// No sign claims a cause, and there is none without trouble.
func TestSignsClaimNothing(t *testing.T) {
	if got := incident.Signs(world(), incident.Incident{}, incident.Facts{}); len(got) != 0 {
		t.Errorf("of nothing: got %+v", got)
	}
	signs := incident.Signs(world(), only(t, told(turn("09:00", "imap-login", "oceania", down, in("", checks.ConnectRefused)))), incident.Facts{})
	if len(signs) != 1 || !strings.Contains(signs[0].Words, ": looks like ") || !slices.Equal(signs[0].Basis, []string{"imap-login/oceania/ipv4 connect_refused"}) {
		t.Errorf("got %+v", signs)
	}
}

// The number of samples that are looked at is bounded.
func TestSamplesAreBounded(t *testing.T) {
	var f incident.Facts
	runs(incident.SamplesMax, "imap-login", "", "", 20*time.Millisecond)(&f)
	runs(10, "imap-login", "", "", 1010*time.Millisecond)(&f)
	if got := incident.Signs(world(), incident.Incident{}, f); len(got) != 0 {
		t.Errorf("got %+v", got)
	}
}

// Incidents of other providers that begin alike are linked both ways.
func TestAlsoSeenAt(t *testing.T) {
	one := func(clock, check string, options ...option) incident.Incident {
		return only(t, told(turn(clock, check, "oceania", down, options...)))
	}
	imap := one("09:00", "imap-login")
	draft := one("09:00", "post")
	draft.Draft = true
	for _, tt := range []struct {
		name  string
		other incident.Incident
		want  bool
	}{
		{"another provider, 5 min later", one("09:05", "post"), true},
		{"later", one("09:05:01", "post"), false},
		{"before", one("08:55", "post"), true},
		{"its own provider", one("09:00", "web"), false},
		{"other trouble", one("09:00", "post", in("", checks.AuthTimeout)), false},
		{"a draft", draft, false},
	} {
		got := incident.AlsoSeenAt(world(), []incident.Incident{imap, tt.other})
		if linked := slices.Contains(got[imap.ID], tt.other.ID) && slices.Contains(got[tt.other.ID], imap.ID); linked != tt.want || len(got) > 0 != tt.want {
			t.Errorf("%s: got %v, want linked %v", tt.name, got, tt.want)
		}
	}
}
