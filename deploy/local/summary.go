package main

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"
)

// summary is what a run has to say at its end.
type summary struct {
	// Elapsed is how long the fleet ran.
	Elapsed time.Duration
	// First is the time from the start to the first observation in the
	// journal; 0 if none came.
	First     time.Duration
	Probes    int
	Journaled uint64
	Regions   []region
	// Services are in the order of the page, their cells in that of Regions.
	Services []summaryRow
	// State is the folder that was kept, empty if it was temporary.
	State string
}

type summaryRow struct {
	Service string
	Cells   []summaryCell
}

// summaryCell is one service in one region.
type summaryCell struct {
	// State is the verdict at the end: up, slow, intermittent, down or unknown.
	State string
	// Availability is a share, 0 to 1. It means something only if Known.
	Availability float64
	Known        bool
}

// String returns the summary as text of one screen: a screen is 80 wide and a
// terminal 24 high, and a fleet of three services takes 11 lines.
func (s summary) String() string {
	var b strings.Builder
	first := "no observation came"
	if s.First > 0 {
		first = fmt.Sprintf("the first observation came after %.1f s", s.First.Seconds())
	}
	fmt.Fprintf(&b, "The fleet ran for %s: %d probes in %d regions, %d observations in the journal,\n%s.\n\n",
		s.Elapsed.Round(time.Second), s.Probes, len(s.Regions), s.Journaled, first)
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, r := range s.Regions {
		fmt.Fprintf(t, "\t%s", r.ID)
	}
	fmt.Fprintln(t)
	for _, row := range s.Services {
		fmt.Fprint(t, clip(row.Service, 26))
		for _, c := range row.Cells {
			fmt.Fprintf(t, "\t%s", c)
		}
		fmt.Fprintln(t)
	}
	_ = t.Flush() // a strings.Builder takes everything
	fmt.Fprintf(&b, "\nPercent are up / (up + down) of the scheduled observations.\n")
	if s.State != "" {
		fmt.Fprintf(&b, "Everything is kept in %s.\n", s.State)
	}
	return b.String()
}

// String returns the state and the availability in percent, cut off and not
// rounded: 99.999 % is not 100.
func (c summaryCell) String() string {
	if !c.Known {
		return c.State
	}
	return fmt.Sprintf("%s %.2f %%", c.State, float64(int64(c.Availability*10000))/100)
}

func clip(s string, most int) string {
	r := []rune(s)
	if len(r) <= most {
		return s
	}
	return string(r[:most-1]) + "…"
}
