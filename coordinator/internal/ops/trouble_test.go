package ops

import (
	"slices"
	"strings"
	"testing"
	"time"

	"varde/checks"
	"varde/coordinator/internal/verdict"
)

// turned is a change of verdict in Oceania, some time before the morning.
func turned(check string, to verdict.State, ago time.Duration, reason string) verdict.Change {
	at := morning.Add(-ago)
	return verdict.Change{Series: verdict.Series{Check: check, Region: "oceania", Family: checks.IPv4}, To: to, At: at, Since: at, Reason: reason}
}

// TestTurns: a line of changes says what is true of all its checks.
func TestTurns(t *testing.T) {
	const lost, removed = "0 probes with a current result, 2 needed", "a reload took it out of the configuration"
	down := func(class string) string { return class + ", 3 of 3 probes, 21 s after the first failure" }
	for name, c := range map[string]struct {
		changes []verdict.Change
		want    []string
	}{
		"one event": {
			[]verdict.Change{turned("a", verdict.Down, 10*time.Second, down("tls_timeout")), turned("b", verdict.Down, 14*time.Second, "tls_timeout, 2 of 3 probes, 17 s after the first failure")},
			[]string{"10:20:00 a b"},
		},
		"a reload among lost quorums": {
			[]verdict.Change{turned("a", verdict.Unknown, 10*time.Second, lost), turned("b", verdict.Unknown, 14*time.Second, removed), turned("c", verdict.Unknown, 18*time.Second, "1 probe with a current result, 2 needed"), turned("d", verdict.Unknown, 50*time.Second, lost)},
			[]string{"10:20:00 b", "10:19:56 a c", "10:19:24 d"},
		},
		"three causes within 40 s": {
			[]verdict.Change{turned("webmail", verdict.Down, 2*time.Second, down("http_status")), turned("imap-starttls", verdict.Down, 9*time.Second, down("greeting_timeout")), turned("imap", verdict.Down, 40*time.Second, down("tls_timeout"))},
			[]string{"10:20:12 webmail", "10:20:05 imap-starttls", "10:19:34 imap"},
		},
		"a certificate beside a closed port": {
			[]verdict.Change{turned("a", verdict.Down, 2*time.Second, down("cert_untrusted")), turned("b", verdict.Down, 2*time.Second, down("connect_refused"))},
			[]string{"10:20:12 a", "10:20:12 b"},
		},
		"no chain of close ones": {
			[]verdict.Change{turned("a", verdict.Down, 2*time.Second, down("late")), turned("b", verdict.Down, 10*time.Second, down("late")), turned("c", verdict.Down, 18*time.Second, down("late"))},
			[]string{"10:20:04 a b", "10:19:56 c"},
		},
	} {
		var got []string
		for _, l := range turns(c.changes) {
			got = append(got, l.at.Format("15:04:05 ")+strings.Join(l.checks, " "))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

// titled are the titles and reasons of the troubles of verdicts.
func titled(verdicts []Verdict) []string {
	now := newFake().now
	now.Verdicts = verdicts
	views, _ := board{now: now}.troubles(now.cells(nil))
	var out []string
	for _, v := range views {
		out = append(out, v.Title+"; "+v.Reason+"; "+strings.Join(v.Checks, " ")+"; "+v.Probes)
	}
	return out
}

func judged(check, region string, state verdict.State, reason string, c verdict.Counts) Verdict {
	service, _, _ := strings.Cut(check, "-")
	return Verdict{
		Series: verdict.Series{Check: check, Region: region, Family: checks.IPv4}, Service: service, State: state,
		Since: morning.Add(-time.Minute), Reason: reason, Counts: c,
	}
}

// TestTroublesNameEveryCause: what fails differently is not one trouble.
func TestTroublesNameEveryCause(t *testing.T) {
	failed := func(check, class string) Verdict {
		return judged(check, "oceania", verdict.Down, class+", 3 of 3 probes, 21 s after the first failure", verdict.Counts{Down: 3})
	}
	rest := ", 3 of 3 probes, 21 s after the first failure; "
	six := failed("imap-login", "cert_untrusted")
	six.Family = checks.IPv6
	for name, c := range map[string]struct {
		verdicts []Verdict
		want     []string
	}{
		"three causes": {
			[]Verdict{failed("imap-login", "tls_timeout"), failed("imap-starttls", "greeting_timeout"), failed("webmail-home", "http_status")},
			[]string{
				"Oceania: Webmail down; http_status" + rest + "webmail-home; 3 of 3 probes fail",
				"Oceania: IMAP down; tls_timeout" + rest + "imap-login; 3 of 3 probes fail",
				"Oceania: IMAP down; greeting_timeout" + rest + "imap-starttls; 3 of 3 probes fail",
			},
		},
		"two families": {
			[]Verdict{failed("imap-login", "connect_refused"), six},
			[]string{"Oceania: IMAP down; connect_refused" + rest + "cert_untrusted" + rest + "imap-login; 3 of 3 probes fail"},
		},
	} {
		if got := titled(c.verdicts); !slices.Equal(got, c.want) {
			t.Errorf("%s:\ngot  %q\nwant %q", name, got, c.want)
		}
	}
}

// TestTroublesSayWhatIsOursToMend: a refused password measures nothing, and
// nobody but the operator can know.
func TestTroublesSayWhatIsOursToMend(t *testing.T) {
	blind := func(check, region, reason string) Verdict {
		return judged(check, region, verdict.Unknown, reason, verdict.Counts{Unknown: 2})
	}
	got := titled([]Verdict{
		blind("imap-login", "oceania", "0 probes with a current result, 2 needed: auth_rejected at 2"),
		blind("imap-login", "us-east", "0 probes with a current result, 2 needed: auth_rejected at 1"),
		blind("webmail-home", "oceania", "0 probes with a current result, 2 needed: policy at 2"),
		blind("webmail-login", "oceania", "1 probe with a current result, 2 needed"),
		blind("imap-starttls", "oceania", ""),
	})
	want := []string{
		"IMAP: the login is refused (auth_rejected) in Eastern US and Oceania; 0 probes with a current result, 2 needed: auth_rejected at 1; imap-login; 2 of 2 probes cannot tell",
		"Webmail: the server does not want our probes (policy) in Oceania; 0 probes with a current result, 2 needed: policy at 2; webmail-home; 2 of 2 probes cannot tell",
		"Oceania: Webmail unknown; 1 probe with a current result, 2 needed; webmail-login; 2 of 2 probes cannot tell",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	var many []Verdict
	for _, c := range newFake().now.Checks {
		many = append(many, judged(c.ID, "oceania", verdict.Down, "cause_"+strings.Repeat("x", len(many)), verdict.Counts{Down: 3}))
	}
	now := newFake().now
	now.Verdicts = many
	v, more := board{now: now}.troubles(now.cells(nil))
	if len(v) != 6 || more != 3 {
		t.Errorf("nine causes: got %d and %d more, want 6 and 3", len(v), more)
	}
}
