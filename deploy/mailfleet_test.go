package deploy

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"varde/checks"
	"varde/deploy/fleettest"
	"varde/deploy/mailstack"
)

// TestFleetWatchesRealServers lets six real probes watch a real Dovecot, Postfix
// and nginx. Each fault gives its class in every region, and changes the verdict
// of that service alone.
func TestFleetWatchesRealServers(t *testing.T) {
	if testing.Short() {
		t.Skip("real processes for two minutes")
	}
	t.Parallel() // it waits more than it works
	stack := mailstack.Start(t)
	p := buildPrograms(t)
	p.setUp(stackChecks(stack))
	p.eventuallyVerdicts(map[string]string{"imap": "up", "smtp": "up", "web": "up"})
	p.expectPlausible(t)

	for _, fault := range []struct {
		name       string
		begin, end func()
		service    string
		state      string
		phase      checks.Phase
		class      checks.Class
	}{
		{"nginx answers 503", func() { stack.Unavailable(true) }, func() { stack.Unavailable(false) }, "web", "down", checks.FirstByte, checks.HTTPStatus},
		{"nginx was killed", func() { stack.Kill(mailstack.Nginx) }, func() { stack.Up(mailstack.Nginx) }, "web", "down", checks.Connect, checks.ConnectRefused},
		{
			"postfix shows the certificate of another", func() { stack.Show(mailstack.Postfix, mailstack.WrongName) },
			func() { stack.Show(mailstack.Postfix, mailstack.Good) }, "smtp", "down", checks.TLS, checks.CertName,
		},
		{"dovecot is silent", func() { stack.Freeze(mailstack.Dovecot) }, func() { stack.Thaw(mailstack.Dovecot) }, "imap", "down", checks.TLS, checks.TLSTimeout},
		// Last, because a probe leaves a login alone that was refused: nothing is
		// up soon after.
		{"the password was changed", stack.ChangePassword, stack.RestorePassword, "imap", "unknown", checks.Auth, checks.AuthRejected},
	} {
		t.Run(fault.name, func(t *testing.T) {
			before := p.verdicts()
			began := time.Now()
			fault.begin()
			want := map[string]string{"imap": "up", "smtp": "up", "web": "up"}
			want[fault.service] = fault.state
			p.eventuallyVerdicts(want)
			for series, v := range p.verdicts() {
				if v.Service != fault.service && !v.Since.Equal(before[series].Since) {
					t.Errorf("%s changed too, at %s", series, v.Since)
				}
			}
			p.expectClass(t, fault.service, began, fault.phase, fault.class)
			fault.end()
			if fault.class == checks.AuthRejected {
				return
			}
			want[fault.service] = "up"
			p.eventuallyVerdicts(want)
		})
	}
}

// stackChecks are one service for each server. SMTP is asked without a login,
// which Postfix would pass on to Dovecot.
func stackChecks(s *mailstack.Stack) string {
	line := func(id, kind, url, more string) string {
		return fmt.Sprintf("  - {id: %s, service: %s, kind: %s, url: %q, every: 5s, timeout: 3s, families: [ipv4], ca: {file: %q}%s}\n", id, id, kind, url, s.CA, more)
	}
	return "services: [{id: imap, consent: true}, {id: smtp, consent: true}, {id: web, consent: true}]\nchecks:\n" +
		line("imap", "imap", "imaps://"+s.IMAPS, fmt.Sprintf(", login: {user: %q, password: {file: %q}}, expect: {mailbox: INBOX}", s.User, s.PasswordFile)) +
		line("smtp", "smtp", "smtp://"+s.SMTP, "") +
		line("web", "https", "https://"+s.HTTPS+"/", "")
}

// verdict is one element of /api/v1/verdicts.
type verdict struct {
	Service, Region, State string
	Since                  time.Time
}

func (p *programs) verdicts() map[string]verdict {
	p.t.Helper()
	var list []verdict
	p.get("/api/v1/verdicts", &list)
	out := map[string]verdict{}
	for _, v := range list {
		out[v.Service+" in "+v.Region] = v
	}
	return out
}

// eventuallyVerdicts waits until each service has its state in every region.
func (p *programs) eventuallyVerdicts(want map[string]string) {
	p.t.Helper()
	var got map[string]verdict
	defer func() {
		if p.t.Failed() {
			p.t.Logf("verdicts: %v", got)
		}
	}()
	p.eventually(fmt.Sprint("verdicts ", want), func() bool {
		got = p.verdicts()
		return len(got) == 3*len(want) && !slices.ContainsFunc(slices.Collect(maps.Values(got)), func(v verdict) bool { return v.State != want[v.Service] })
	})
}

// expectClass says how a failed run of each region ended. Raw observations can
// be read a few seconds after their verdict.
func (p *programs) expectClass(t *testing.T, service string, since time.Time, phase checks.Phase, class checks.Class) {
	t.Helper()
	for _, region := range []string{"eu-north", "us-east", "oceania"} {
		// A server that starts again refuses first, and the list is a second late.
		p.eventually(fmt.Sprintf("%s in %s to end in %s by %s", service, region, phase, class), func() bool {
			list := fleettest.ReadObservations(p.get, since, time.Time{}, url.Values{"check": {service}, "region": {region}})
			failed := slices.DeleteFunc(list, func(o checks.Observation) bool { return o.Outcome == checks.Up })
			return len(failed) > 0 && failed[0].FailedPhase == phase && failed[0].Class == class
		})
	}
}

// expectPlausible says that what is up ran its phases, and took its time in
// them.
func (p *programs) expectPlausible(t *testing.T) {
	t.Helper()
	for service, want := range map[string]string{
		"imap": "connect tls greeting capability auth select request logout",
		"smtp": "connect greeting capability starttls tls logout",
		"web":  "connect tls request first_byte body",
	} {
		var list []checks.Observation
		p.eventually("a run of "+service+" that was up", func() bool {
			list = fleettest.ReadObservations(p.get, time.Time{}, time.Time{}, url.Values{"check": {service}, "outcome": {"up"}})
			return len(list) > 0
		})
		var names []string
		var sum time.Duration
		for _, phase := range list[0].Phases {
			names = append(names, string(phase.Name))
			sum += phase.Duration
		}
		got := strings.Join(names, " ")
		for name := range strings.FieldsSeq(want) {
			if !slices.Contains(names, name) {
				t.Errorf("%s ran %q, want %s among them", service, got, name)
			}
		}
		if elapsed := list[0].Elapsed; sum <= 0 || sum > elapsed+time.Millisecond {
			t.Errorf("%s: phases took %s of %s", service, sum, elapsed)
		}
	}
}

// get reads JSON from the operator listener.
func (p *programs) get(path string, into any) {
	p.t.Helper()
	resp, err := http.Get("http://" + p.ops + path)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		p.t.Fatalf("%s: %s: %v\n%s", path, resp.Status, err, body)
	}
	if err := json.Unmarshal(body, into); err != nil {
		p.t.Fatal(err)
	}
}
