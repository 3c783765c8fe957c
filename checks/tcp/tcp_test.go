package tcp_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"varde/checks"
	ct "varde/checks/checktest"
	"varde/checks/tcp"
)

func build(t checks.Target, env checks.Env) (checks.Check, error) {
	c, err := tcp.New(t, env)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// attempt plays a script to one check over IPv4.
func attempt(t *testing.T, target checks.Target, play func(*ct.Lab) []ct.Step) (r checks.Result) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		lab := ct.NewLab()
		lab.Play(t, ":2222", play(lab)...)
		target.Every = time.Minute
		c, err := build(target, lab.Env())
		if err != nil {
			t.Fatal(err)
		}
		r = c.Attempt(t.Context(), checks.IPv4)
	})
	return r
}

func names(r checks.Result) string {
	var all []string
	for _, p := range r.Phases {
		all = append(all, string(p.Name))
	}
	return strings.Join(all, " ")
}

func want(t *testing.T, r checks.Result, phases string, class checks.Class, after time.Duration, detail string) {
	t.Helper()
	if names(r) != phases || r.Class != class || r.Outcome != class.Outcome() || r.Elapsed != after || r.Detail != detail {
		t.Errorf("got %s %s in %s after %s (%s), want %s in %s after %s (%s)",
			r.Outcome, r.Class, names(r), r.Elapsed, r.Detail, class, phases, after, detail)
	}
}

// taken is what stands in a channel, or an error if nothing does.
func taken(c chan error) error {
	select {
	case err := <-c:
		return err
	default:
		return errors.New("nothing")
	}
}

const (
	plain   = "tcp://" + ct.LabName + ":2222"
	secured = "tls://" + ct.LabName + ":2222"
)

func TestReached(t *testing.T) {
	r := attempt(t, checks.Target{URL: plain}, func(*ct.Lab) []ct.Step { return []ct.Step{ct.Silence()} })
	want(t, r, "resolve connect", "", 0, "")
	if r.TLS != nil || r.Presented != nil {
		t.Errorf("shown %+v and %+v, want nothing", r.TLS, r.Presented)
	}
	left := make(chan error, 1)
	r = attempt(t, checks.Target{URL: secured}, func(l *ct.Lab) []ct.Step {
		return []ct.Step{ct.Wait(time.Second), ct.Secure(l.TLS()), func(p *ct.Peer) error {
			left <- ct.Expect("")(p)
			return nil
		}}
	})
	want(t, r, "resolve connect tls", "", time.Second, "")
	if r.TLS == nil || r.TLS.Version != "1.3" || len(r.TLS.Chain) != 1 {
		t.Errorf("shown %+v, want the certificate", r.TLS)
	}
	if err := taken(left); fmt.Sprint(err) != "EOF" { // without close_notify it would be unexpected
		t.Errorf("the server saw %v, want a farewell", err)
	}
}

func TestBanner(t *testing.T) {
	target := checks.Target{URL: plain, Expect: checks.Expect{Banner: "SSH-2.0"}}
	for _, tt := range []struct {
		name   string
		steps  []ct.Step
		class  checks.Class
		after  time.Duration
		detail string
		banner string
	}{
		{"a line", []ct.Step{ct.Wait(time.Second), ct.Send("SSH-2.0-x\r\nmore")}, "", time.Second, "", "SSH-2.0-x"},
		{"a prompt", []ct.Step{ct.Drip("** SSH-2.0", 100*time.Millisecond), ct.Silence()}, "", time.Second, "", "** SSH-2.0"},
		{"and closes", []ct.Step{ct.Send("SSH-2.0"), ct.Hangup()}, "", 0, "", "SSH-2.0"},
		{"another", []ct.Step{ct.Send("busy\r\nSSH-2.0\r\n"), ct.Silence()}, checks.BodyMismatch, 0, `the first line is "busy\r", expected "SSH-2.0" in it`, "busy"},
		{"another in the same bytes", []ct.Step{ct.Send("SSH-\x002.0\n")}, checks.BodyMismatch, 0, `the first line is "SSH-\x002.0", expected "SSH-2.0" in it`, "SSH- 2.0"},
		{"a part, and closes", []ct.Step{ct.Send("SSH"), ct.Hangup()}, checks.BodyMismatch, 0, `the first line is "SSH", expected "SSH-2.0" in it`, "SSH"},
		{"a part, and resets", []ct.Step{ct.Send("SSH"), ct.Break()}, checks.Closed, 0, "the server reset the connection", "SSH"},
		{"a part, and no more", []ct.Step{ct.Send("SSH"), ct.Silence()}, checks.GreetingTimeout, 5 * time.Second, "greeting not complete within 5s, 3 bytes came", "SSH"},
		{"nothing to begin with", []ct.Step{ct.Wait(6 * time.Second), ct.Send("SSH-2.0\r\n")}, checks.GreetingTimeout, 5 * time.Second, "no greeting within 5s", ""},
		{"behind 1 kB", []ct.Step{ct.Send(strings.Repeat("x", 1020) + "SSH-2.0\r\n"), ct.Silence()}, checks.BodyMismatch, 0, `the first line is "` + strings.Repeat("x", 128) + `", expected "SSH-2.0" in it`, strings.Repeat("x", 255) + "…"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := attempt(t, target, func(*ct.Lab) []ct.Step { return tt.steps })
			want(t, r, "resolve connect greeting", tt.class, tt.after, tt.detail)
			if r.Presented == nil || r.Presented.Banner != tt.banner {
				t.Errorf("shown %+v, want banner %q", r.Presented, tt.banner)
			}
		})
	}
}

func TestEveryPoint(t *testing.T) {
	target := checks.Target{Kind: checks.TCP, URL: secured, Expect: checks.Expect{Banner: "hello"}}
	ct.EveryPoint(t, target, ":2222", build, []ct.Point{
		{
			Name: "handshake", Until: func(*ct.Lab) []ct.Step { return nil }, Drip: "\x16\x03\x03\x40\x00",
			Phase: checks.TLS, Timeout: checks.TLSTimeout, Limit: 5 * time.Second, Garbage: checks.TLSError, Flood: checks.TLSError,
		},
		{
			Name: "banner", Until: func(l *ct.Lab) []ct.Step { return []ct.Step{ct.Secure(l.TLS())} }, Drip: "hell",
			Phase: checks.Greeting, Timeout: checks.GreetingTimeout, Limit: 5 * time.Second, Garbage: checks.BodyMismatch, Flood: checks.BodyMismatch,
		},
	})
}

func TestValidate(t *testing.T) {
	for _, tt := range []struct {
		target checks.Target
		want   string
	}{
		{checks.Target{URL: "tcp://192.0.2.1:22", Expect: checks.Expect{Banner: "SSH"}}, ""},
		{checks.Target{URL: "tls://[2001:db8::1]:4433"}, ""},
		{checks.Target{URL: "tcp://192.0.2.1"}, `url: "tcp://192.0.2.1", expected a port: tcp://host:port`},
		{checks.Target{URL: "tls://192.0.2.1:"}, `url: "tls://192.0.2.1:", expected a port: tls://host:port`},
		{checks.Target{URL: "tcp://192.0.2.1:22/"}, `url: "tcp://192.0.2.1:22/", expected nothing after the host`},
		{checks.Target{URL: "smtp://192.0.2.1:25"}, `url: scheme "smtp", expected one of tcp, tls`},
		{checks.Target{URL: "tcp://a:1", Login: &checks.Login{}}, "login: given, expected none: this kind does not read it"},
		{checks.Target{URL: "tcp://a:1", Expect: checks.Expect{Body: "x"}}, "expect.body: given, expected none: this kind does not read it"},
		{checks.Target{URL: "tcp://a:1", Expect: checks.Expect{Banner: "a\nb"}}, `expect.banner: "a\nb", expected at most 1024 bytes on one line`},
	} {
		got := ""
		if err := tcp.Validate(tt.target); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.target.URL, got, tt.want)
		}
	}
}
