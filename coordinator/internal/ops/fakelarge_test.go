package ops

import (
	"context"
	"fmt"
	"time"

	"varde/checks"
	"varde/coordinator/internal/graph"
	"varde/coordinator/internal/verdict"
)

// large is a fleet of forty services with five checks each in ten regions: 200 checks
// and 2,000 cells, some ill, with what is presented, found and noticed of them.
func large() *fake {
	f := newFake()
	for i, r := range [][2]string{{"us-west", "Western US"}, {"br-south", "Southern Brazil"}, {"za", "South Africa"}, {"in-west", "Western India"}, {"jp", "Japan"}} {
		f.rtt[r[0]] = float64(110 + 30*i)
		f.now.Regions = append(f.now.Regions, Region{r[0], r[1], 1, morning.Add(-3 * time.Second)})
		for k := range 3 {
			f.now.Probes = append(f.now.Probes, Probe{Name: fmt.Sprintf("%s-%d", r[0], k+1), Region: r[0], Plan: 418, LastSeen: morning.Add(-2 * time.Second)})
		}
	}
	f.now.Services, f.now.Checks, f.now.Verdicts = nil, nil, nil
	for i := range 40 {
		provider := []string{"fjordmail", "bergpost"}[i%2]
		id := fmt.Sprintf("service-%02d", i)
		f.now.Services = append(f.now.Services, Service{ID: id, Name: fmt.Sprintf("Service %02d", i), Provider: provider, SLO: 99.9})
		for k, url := range []string{"imaps://imap", "submission://post", "smtp://mx", "https://mail", "smtps://post"} {
			kind := []checks.Kind{"imap", "smtp", "smtp", "https", "smtp"}[k]
			c := checks.Target{ID: fmt.Sprintf("check-%02d-%s", i, []string{"login", "post", "mx", "web", "tls"}[k]), Service: id, Kind: kind, URL: fmt.Sprintf("%s-%02d.example", url, i), Every: 30 * time.Second}
			f.now.Checks = append(f.now.Checks, c)
			for _, r := range f.now.Regions {
				f.now.Verdicts = append(f.now.Verdicts, f.ill(c, r.ID, i, checks.IPv4), f.ill(c, r.ID, i, checks.IPv6))
			}
		}
	}
	for i := range 20 {
		c := f.now.Checks[i*7]
		f.findings = append(f.findings, Findings{Findings: checks.Findings{Check: c.ID, Probe: "osl-1", List: []checks.Finding{{Code: "no_mta_sts", Detail: "the domain has no policy"}}}})
	}
	f.now.Notices = []verdict.Notice{{Kind: verdict.Refused, Check: f.now.Checks[5].ID, Since: dark, Reason: "all 20 probes are refused"}}
	f.strips, _ = f.Matrix(context.Background(), graph.Last(24*time.Hour, 15*time.Minute, morning))
	return f
}

// ill is the verdict of a check of the i-th service: Oceania is dark for four of
// them, a fifth comes and goes, a sixth is slow and of a seventh nothing is known.
func (f *fake) ill(c checks.Target, region string, i int, family checks.Family) Verdict {
	v := f.verdict(c, region, family)
	v.Since = v.Since.Add(time.Duration(i) * time.Minute)
	switch {
	case region == "oceania" && i < 4:
		v.State, v.Since, v.Counts, v.Reason = verdict.Down, dark, verdict.Counts{Down: 3}, "the last 4 runs failed with connect_timeout, 3 of 3 probes, 21 s after the first failure"
	case region == "us-west" && i == 4:
		v.State, v.Since, v.Reason = verdict.Intermittent, dark.Add(37*time.Minute), "24 of 144 runs failed in tls"
	case region == "jp" && i == 5:
		v.State, v.Since, v.Reason = verdict.Slow, morning.Add(-52*time.Minute), "first_byte p50 2.1 s, usually 0.2 s"
	case region == "za" && i == 6:
		v.State, v.Since, v.Reason = verdict.Unknown, morning.Add(-11*time.Minute), "1 probe has a current result, 2 are needed"
	}
	return v
}
