package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"varde"
	"varde/coordinator/internal/control"
	"varde/coordinator/internal/graph"
	"varde/coordinator/internal/register"
	"varde/proto/document"
)

type maintenanceCommands struct {
	Add    maintenanceAddCommand    `cmd:"" help:"Announce a maintenance."`
	List   maintenanceListCommand   `cmd:"" help:"List what is announced."`
	Cancel maintenanceCancelCommand `cmd:"" help:"Take a maintenance back."`
}

// Help says what a maintenance does, and shows examples.
func (maintenanceCommands) Help() string {
	return `While a maintenance lasts, the public page shows its services as under maintenance. What is measured stays on record as it was; availability is told with that time and without it, and the objective counts without it.

Examples:

  varde-coordinator maintenance add --service imap --service smtp \
      --from 2026-11-24T22:00Z --to +2h --title "Database move"
  varde-coordinator maintenance list
  varde-coordinator maintenance cancel m-2026-11-24-1`
}

// announcement is what every command that announces a window takes.
type announcement struct {
	configFlag
	Service []string `help:"The id of a service that it is about; may be given again." required:"" placeholder:"ID"`
	From    string   `help:"When it begins: now, 2026-11-24T22:00Z, \"2026-11-24 22:00\" in UTC, or 90m from now." required:"" placeholder:"TIME"`
	To      string   `help:"When it ends: as --from, or +2h after that." required:"" placeholder:"TIME"`
	Title   string   `help:"What it is for." required:"" placeholder:"TEXT"`
	By      string   `help:"Who says so, you if not given." placeholder:"NAME"`
	JSON    bool     `help:"Print JSON."`
}

// add announces a window of which everything else is set.
func (a *announcement) add(ctx context.Context, p *process, w register.Window) (err error) {
	command := string(w.Kind) + " add: "
	if w.From, err = moment(a.From, p.now()); err != nil {
		return varde.Misuse(fmt.Errorf("%s--from: %w", command, err))
	}
	if w.To, err = end(a.To, w.From, p.now()); err != nil {
		return varde.Misuse(fmt.Errorf("%s--to: %w", command, err))
	}
	client, err := a.client()
	if err != nil {
		return err
	}
	w.Services, w.Title, w.By = a.Service, a.Title, cmp.Or(a.By, p.user())
	added, err := client.AddWindow(ctx, w)
	if err != nil {
		return ofFlags(command, err)
	}
	if a.JSON {
		return p.printJSON(added)
	}
	if err := p.printWindows([]control.Window{added}); err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stderr, "To take it back: varde-coordinator %s cancel %s\n", w.Kind, clean(added.ID))
	return err
}

// ofFlags is what the coordinator found wrong, each fault with the flag that it is about.
func ofFlags(command string, err error) error {
	var all []error
	for line := range strings.SplitSeq(err.Error(), "\n") {
		key, _, _ := strings.Cut(line, ":")
		switch key {
		case "service", "region", "from", "to", "title", "by", "every":
			line = command + "--" + line
		}
		all = append(all, errors.New(line))
	}
	return errors.Join(all...)
}

// expectedTime is what moment reads.
const expectedTime = `now, a time such as 2026-11-24T22:00Z or "2026-11-24 22:00" (UTC), or a time from now on such as 90m or 2d`

// moment reads a time: "now", RFC 3339 with or without seconds, a date and a time in
// UTC, or how long after now.
func moment(text string, now time.Time) (time.Time, error) {
	if text == "now" {
		return now.UTC(), nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00", time.DateTime, "2006-01-02 15:04", "2006-01-02T15:04:05", "2006-01-02T15:04"} {
		if t, err := time.Parse(layout, text); err == nil && writable(t.UTC()) {
			return t.UTC(), nil
		}
	}
	return later(text, now, expectedTime)
}

// end reads the end of a window: a time, or how long after its beginning.
func end(text string, from, now time.Time) (time.Time, error) {
	const expected = "+2h after --from, " + expectedTime
	if d, ok := strings.CutPrefix(text, "+"); ok {
		return later(d, from, expected)
	}
	t, err := moment(text, now)
	if err != nil {
		return t, fmt.Errorf("got %.100q, expected %s", text, expected)
	}
	return t, nil
}

// later reads how long after a time.
func later(text string, after time.Time, expected string) (time.Time, error) {
	d, err := document.ParseDuration(text)
	if t := after.UTC().Add(d); err == nil && writable(t) {
		return t, nil
	}
	return time.Time{}, fmt.Errorf("got %.100q, expected %s", text, expected)
}

// writable says whether RFC 3339 has a way to write a time.
func writable(t time.Time) bool { return t.Year() >= 1 && t.Year() <= 9999 }

type maintenanceAddCommand struct {
	announcement
	Region []string `help:"The id of a region to which it is restricted; may be given again. All if not given." placeholder:"ID"`
}

// Help shows examples.
func (maintenanceAddCommand) Help() string {
	return `A maintenance lasts at most 31 days and must not be over. Windows may overlap. What is announced after it began is out of the objective from its announcement on only: the time before that counts.

Examples:

  varde-coordinator maintenance add --service imap --from 2026-11-24T22:00Z --to +2h --title "Database move"
  varde-coordinator maintenance add --service smtp --region oceania \
      --from now --to 90m --title "New uplink in Sydney"`
}

// Run announces the maintenance.
func (c *maintenanceAddCommand) Run(ctx context.Context, p *process) error {
	return c.add(ctx, p, register.Window{Kind: register.Maintenance, Regions: c.Region})
}

// windowList is what every command that lists windows takes.
type windowList struct {
	configFlag
	Since time.Duration `help:"How far back. What is over is left out if not given." default:"0s"`
	JSON  bool          `help:"Print JSON."`
}

func (l *windowList) list(ctx context.Context, p *process, kind register.Kind) error {
	if l.Since < 0 {
		return varde.Misuse(fmt.Errorf("%s list: --since: got %s, expected how far back, such as 720h", kind, l.Since))
	}
	client, err := l.client()
	if err != nil {
		return err
	}
	list, err := client.ListWindows(ctx, kind, p.now().Add(-l.Since))
	if err != nil {
		return err
	}
	if l.JSON {
		return p.printJSON(append([]control.Window{}, list...)) // [] and not null
	}
	return p.printWindows(list)
}

type maintenanceListCommand struct{ windowList }

// Help shows an example.
func (maintenanceListCommand) Help() string {
	return `Example:

  varde-coordinator maintenance list --since 720h --json`
}

// Run lists maintenance.
func (c *maintenanceListCommand) Run(ctx context.Context, p *process) error {
	return c.list(ctx, p, register.Maintenance)
}

// cancellation is what every command that takes a window back takes.
type cancellation struct {
	configFlag
	ID string `arg:"" help:"The window."`
	By string `help:"Who says so, you if not given." placeholder:"NAME"`
}

func (c *cancellation) cancel(ctx context.Context, p *process, kind register.Kind) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	w, err := client.CancelWindow(ctx, kind, c.ID, cmp.Or(c.By, p.user()))
	if err != nil {
		return ofFlags(string(kind)+" cancel: ", err)
	}
	what := "was withdrawn before it began"
	if !w.Withdrawn() {
		what = "ended at " + utc(w.To)
	}
	_, err = fmt.Fprintf(p.stdout, "%s %s; it stays on record\n", clean(w.ID), what)
	return err
}

type maintenanceCancelCommand struct{ cancellation }

// Help says what is left of it, and shows an example.
func (maintenanceCancelCommand) Help() string {
	return `A maintenance that has begun ends now; one that has not never begins. Both stay on record.

Example:

  varde-coordinator maintenance cancel m-2026-11-24-1`
}

// Run takes the maintenance back.
func (c *maintenanceCancelCommand) Run(ctx context.Context, p *process) error {
	return c.cancel(ctx, p, register.Maintenance)
}

// whatWidth is the width of the last column of the table of windows, which is then
// about as wide as a terminal.
const whatWidth = 28

// printWindows prints a table.
func (p *process) printWindows(list []control.Window) error {
	t := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	write(t, "ID", "STATE", "FROM (UTC)", "LASTS", "WHAT")
	for _, w := range list {
		cells := []string{w.ID, w.State, w.From.UTC().Format("2006-01-02 15:04"), graph.Span(w.To.Sub(w.From))}
		for _, what := range whatOf(w) {
			for _, line := range wrapped(what, whatWidth) {
				write(t, append(cells, line)...)
				cells = []string{"", "", "", ""}
			}
		}
	}
	return t.Flush()
}

// whatOf says what a window is about, and what a watch makes of each check.
func whatOf(w control.Window) []string {
	about := strings.Join(w.Services, ", ")
	if len(w.Providers) > 0 {
		about += " of " + graph.List(w.Providers)
	}
	if len(w.Regions) > 0 {
		about += " in " + strings.Join(w.Regions, ", ")
	}
	out := []string{about + ": " + w.Title}
	if after := w.Counts().Sub(w.From); w.Kind == register.Maintenance && after >= time.Minute {
		out = append(out, fmt.Sprintf("announced %s after it began, which count for the objective", graph.Span(after)))
	}
	for _, c := range w.Checks {
		said := fmt.Sprintf("%s every %s, not %s", c.Check, c.Every, c.Own)
		if c.Every == c.Own {
			said = fmt.Sprintf("%s stays at every %s", c.Check, c.Own)
		}
		if c.Limit != "" {
			said += ": " + c.Limit
		}
		out = append(out, said)
	}
	return out
}

// wrapped breaks a text into lines of a width, between words where it can.
func wrapped(text string, width int) (lines []string) {
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && len([]rune(line))+1+len([]rune(word)) > width {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return append(lines, line)
}
