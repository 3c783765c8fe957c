package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"varde"
	"varde/coordinator/internal/control"
	"varde/coordinator/internal/graph"
	"varde/coordinator/internal/report"
)

type reportCommand struct {
	configFlag
	Month    string `help:"The month, such as 2026-10; the last one that is over if not given." placeholder:"YYYY-MM"`
	Format   string `help:"html, json or csv; by the name of the file, else html, if not given." placeholder:"FORMAT"`
	Provider string `help:"Only services of a provider, and only what everybody may read." placeholder:"ID"`
	Public   bool   `help:"Leave out incidents that only operators see."`
	Output   string `short:"o" help:"The file to write; standard output if not given." placeholder:"FILE"`
	Force    bool   `help:"Write over a file that is there."`
}

// Help says what is written, and shows examples.
func (reportCommand) Help() string {
	return `Writes what was measured in a month: objectives and whether they were kept, availability by service and region with how much was looked, worst windows, incidents, maintenance and test mails, and what is missing. The HTML is one file that prints well; the CSV has a line for each service and region, JSON has it all. What is missing is also told on standard error.

The running coordinator writes the report of each month by itself when the month is over (reports in the configuration) and shows it on the operators' pages; this command changes nothing there.

Examples:

  varde-coordinator report --month 2026-10 -o october.html
  varde-coordinator report --month 2026-10 --public -o to-send.html
  varde-coordinator report --format csv --provider fjord`
}

// Run writes the report.
func (c *reportCommand) Run(ctx context.Context, p *process) error {
	ctx, release := p.stoppable(ctx)
	defer release()
	want, err := c.wanted(p.now())
	if err != nil {
		return varde.Misuse(fmt.Errorf("report: %w", err))
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	var gaps []string
	fetch := func(w io.Writer) (err error) { gaps, err = client.Report(ctx, want, w); return err }
	if c.Output == "" {
		if err := fetch(p.stdout); err != nil {
			return fmt.Errorf("report: %w", err)
		}
		return p.missing(gaps)
	}
	got, err := p.download(c.Output, c.Force, fetch, nil)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	_, err = fmt.Fprintf(p.stdout, "wrote %s: %s, %s\n", clean(c.Output), want.Month.Name(), graph.Count(int(got.bytes), "byte"))
	return errors.Join(err, p.missing(gaps))
}

// wanted is what the flags ask for.
func (c *reportCommand) wanted(now time.Time) (control.WantedReport, error) {
	want := control.WantedReport{Month: report.LastWhole(now), Format: report.HTML, Provider: c.Provider, Public: c.Public}
	var err error
	if c.Month != "" {
		if want.Month, err = report.ParseMonth(c.Month); err == nil {
			err = want.Month.Begun(now)
		}
		if err != nil {
			return want, fmt.Errorf("--month: %w", err)
		}
	}
	if c.Format != "" {
		if want.Format, err = report.ParseFormat(c.Format); err != nil {
			return want, fmt.Errorf("--format: %w", err)
		}
	} else if f, err := report.ParseFormat(strings.TrimPrefix(filepath.Ext(c.Output), ".")); err == nil {
		want.Format = f
	}
	return want, nil
}

// gapsMax is how many gaps are told; the report has them all.
const gapsMax = 10

// missing tells what is missing in a report.
func (p *process) missing(gaps []string) error {
	var out strings.Builder
	for _, words := range gaps[:min(gapsMax, len(gaps))] {
		out.WriteString(clean(words) + "\n")
	}
	if more := len(gaps) - gapsMax; more > 0 {
		fmt.Fprintf(&out, "%s more under \"What is missing\" in the report.\n", graph.Count(more, "line"))
	}
	_, err := io.WriteString(p.stderr, out.String())
	return err
}
