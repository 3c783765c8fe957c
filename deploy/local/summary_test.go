package main

import (
	"testing"
	"time"
)

func TestSummary(t *testing.T) {
	s := summary{
		Elapsed: 2*time.Minute + 300*time.Millisecond, First: 3240 * time.Millisecond, Probes: 6, Journaled: 431,
		Regions: regions(),
		Services: []summaryRow{
			{"Webmail", []summaryCell{{"up", 1, true}, {"up", 0.99999, true}, {"unknown", 0, false}}},
			{"IMAP", []summaryCell{{"up", 1, true}, {"up", 1, true}, {"down", 0, true}}},
			{"https-a-very-long-name-example-org", []summaryCell{{"up", 0.5, true}, {"up", 1, true}, {"up", 1, true}}},
		},
		State: "/tmp/x",
	}
	want := `The fleet ran for 2m0s: 6 probes in 3 regions, 431 observations in the journal,
the first observation came after 3.2 s.

                            eu-north     us-east      oceania
Webmail                     up 100.00 %  up 99.99 %   unknown
IMAP                        up 100.00 %  up 100.00 %  down 0.00 %
https-a-very-long-name-ex…  up 50.00 %   up 100.00 %  up 100.00 %

Percent are up / (up + down) of the scheduled observations.
Everything is kept in /tmp/x.
`
	if got := s.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestSummaryOfNothing(t *testing.T) {
	want := `The fleet ran for 1s: 0 probes in 0 regions, 0 observations in the journal,
no observation came.



Percent are up / (up + down) of the scheduled observations.
`
	if got := (summary{Elapsed: time.Second}).String(); got != want {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}
