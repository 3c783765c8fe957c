package ops

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"varde/checks"
	"varde/coordinator/internal/graph"
	"varde/coordinator/internal/mail"
	"varde/coordinator/internal/verdict"
)

var (
	_ Ledger  = (*fake)(nil)
	_ Servers = (*fake)(nil)
)

// withMail adds two round trips to the fleet, one of them late, a certificate that
// ends in six days, a move of the server and findings.
func (f *fake) withMail() *fake {
	for _, route := range []string{"internal", "outbound"} {
		t := checks.Target{ID: "mail-" + route, Service: "smtp", Kind: checks.RoundTrip, Every: 15 * time.Minute, MailOptions: checks.MailOptions{
			Route: route, From: "probe@fjordmail.example", To: "probe@fjordmail.example",
			Submit: &checks.Leg{URL: "submission://mail.fjordmail.example", Login: &checks.Login{User: "probe@fjordmail.example", Password: checks.Secret{File: "/etc/secret-file"}}}, Receive: &checks.Leg{URL: "imaps://mail.fjordmail.example"},
		}}
		f.now.Checks = append(f.now.Checks, t)
		v := f.verdict(t, "eu-north", checks.IPv4)
		if route == "outbound" {
			v.State, v.Since, v.Reason, v.Counts = verdict.Slow, morning.Add(-40*time.Minute), "mail is late, 3 of 3 probes, 9 min after the first failure", verdict.Counts{Down: 3}
		}
		f.now.Verdicts = append(f.now.Verdicts, v)
	}
	f.routes = []mail.Route{
		{Route: "internal", Sums: mail.Sums{Sent: 1440, Arrived: 1440, InTime: 1437, Late: 3, Junk: 1, Longest: 47 * time.Minute, P50: 2100 * time.Millisecond, P95: 4 * time.Second, First: morning.Add(-24 * time.Hour), Last: morning}},
		{Route: "outbound", Sums: mail.Sums{Sent: 96, Arrived: 92, InTime: 92, Late: 3, Pending: 3, Waiting: morning.Add(-40 * time.Minute), Lost: 1, Longest: 31 * time.Second, P50: 9 * time.Second, P95: 20 * time.Second}},
	}
	event := func(n int, ago time.Duration, state checks.MailState, took time.Duration) checks.MailEvent {
		e := checks.MailEvent{Mail: fmt.Sprintf("m%d", n), Check: "mail-outbound", Service: "smtp", Route: "outbound", Probe: "osl-1", Region: "eu-north", Sent: morning.Add(-ago), State: state}
		if took > 0 {
			e.Found = e.Sent.Add(took)
		}
		return e
	}
	f.mails = []checks.MailEvent{event(1, 2*time.Minute, checks.MailPending, 0), event(2, 40*time.Minute, checks.MailLate, 0), event(3, 3*time.Hour, checks.MailLate, 47*time.Minute), event(4, 6*time.Hour, checks.MailArrived, 4*time.Second), event(5, 23*time.Hour, checks.MailLost, 0), event(6, 23*time.Hour, checks.MailUnknown, 0)}
	f.mails[3].Junk, f.mails[3].SPF, f.mails[3].DKIM, f.mails[3].DMARC = true, "pass", "fail", "fail"
	for i, p := range f.now.Probes {
		old := &checks.Handshake{Version: "1.3", Chain: chainOf("mail.fjordmail.example", "R11", 6*24*time.Hour)}
		shown := Presented{Check: "imap-login", Region: p.Region, Probe: p.Name, Family: checks.IPv4, Address: "203.0.113.25", At: morning.Add(-time.Duration(i) * time.Second), Handshake: old}
		if p.Region == "oceania" {
			shown.Address, shown.Handshake = "198.51.100.7", &checks.Handshake{Version: "1.2", Chain: chainOf("protect.example", "E5", 80*24*time.Hour)}
		}
		f.presented = append(f.presented, shown)
	}
	for _, a := range [][3]string{{"key", f.presented[0].Handshake.Chain[0].Key, f.presented[13].Handshake.Chain[0].Key}, {"issuer", "R11", "E5"}, {"address", "203.0.113.25", "198.51.100.7"}} {
		f.annotations = append(f.annotations, Annotation{At: dark.Add(3 * time.Minute), Check: "imap-login", Region: "oceania", Probe: "syd-1", Family: checks.IPv4, Kind: a[0], From: a[1], To: a[2]})
	}
	f.findings = []Findings{
		{checks.Findings{Check: "mx1", Service: "mx", Probe: "osl-1", Region: "eu-north", List: []checks.Finding{{Code: "mta_sts_mx", Detail: "mx1.fjordmail.example is not in the policy, expected one of mx.fjordmail.example"}}}, morning},
		{checks.Findings{Check: "mx1", Service: "mx", Probe: "osl-2", Region: "eu-north", List: []checks.Finding{{Code: "mta_sts_mx", Detail: "mx1.fjordmail.example is not in the policy, expected one of mx.fjordmail.example"}}}, morning},
		{checks.Findings{Check: "imap-login", Service: "imap", Probe: "osl-2", Region: "eu-north"}, morning},
	}
	return f
}

// chainOf is a leaf and its issuer, which ends years later.
func chainOf(name, issuer string, left time.Duration) []checks.Certificate {
	key := fmt.Sprintf("%064x", []byte(name+issuer))[:64]
	return []checks.Certificate{
		{Subject: name, Issuer: issuer, Names: []string{name, "www." + name}, NotAfter: morning.Add(left), Key: key},
		{Subject: issuer, Issuer: "Root X1", NotAfter: morning.Add(900 * 24 * time.Hour), Key: key},
	}
}

func (f *fake) Mail(_ context.Context, q MailQuery) (Mail, error) {
	f.mu.Lock()
	f.mailed = q
	f.mu.Unlock()
	m := Mail{Windows: f.windows}
	for _, r := range f.routes {
		if q.Route != "" && r.Route != q.Route {
			continue
		}
		m.Routes = append(m.Routes, r)
		m.Sums.Sent, m.Sums.Arrived, m.Sums.Lost = m.Sums.Sent+r.Sent, m.Sums.Arrived+r.Arrived, m.Sums.Lost+r.Lost
		m.Sums.Late, m.Sums.Pending, m.Sums.Longest = m.Sums.Late+r.Late, m.Sums.Pending+r.Pending, max(m.Sums.Longest, r.Longest)
		if !r.Waiting.IsZero() {
			m.Sums.Waiting = r.Waiting
		}
	}
	if q.Route == "" || q.Route == "outbound" {
		m.List = f.mails[:min(len(f.mails), q.Limit)]
	}
	return m, f.count("mail")
}

func (f *fake) Delays(_ context.Context, q MailQuery, step time.Duration) ([]graph.DelayPoint, error) {
	route, w := q.Route, graph.Window{From: q.From, To: q.To, Step: step}
	f.delayed = q
	rnd := rand.New(rand.NewPCG(3, uint64(len(route))))
	var out []graph.DelayPoint
	for i := range w.Cells() {
		p := graph.DelayPoint{At: w.Start(i), Sent: 15, Arrived: 15, Longest: ms(2000 + 2000*rnd.ExpFloat64())}
		switch {
		case i%9 == 5 && route == "outbound":
			p = graph.DelayPoint{}
		case i == 40:
			p.Late, p.Longest = 3, 47*time.Minute
		case i == 60 && route == "outbound":
			p.Arrived, p.Lost = 14, 1
		case i > w.Cells()-3 && route == "outbound":
			p.Arrived, p.Late, p.Pending = 0, 3, 15
		}
		out = append(out, p)
	}
	return out, f.count("delays")
}

func (f *fake) Presented(_ context.Context, check string) ([]Presented, error) {
	var out []Presented
	for _, p := range f.presented {
		if check == "" || p.Check == check {
			out = append(out, p)
		}
	}
	return out, f.count("presented")
}

func (f *fake) Annotations(_ context.Context, q AnnotationQuery) ([]Annotation, error) {
	f.mu.Lock()
	f.noted = q
	f.mu.Unlock()
	var out []Annotation
	for _, a := range f.annotations {
		if (q.Check == "" || a.Check == q.Check) && !a.At.Before(q.From) && a.At.Before(q.To) {
			out = append(out, a)
		}
	}
	return out, f.count("annotations")
}

func (f *fake) Findings(_ context.Context, check string) ([]Findings, error) {
	var out []Findings
	for _, one := range f.findings {
		if check == "" || one.Check == check {
			out = append(out, one)
		}
	}
	return out, f.count("findings")
}
