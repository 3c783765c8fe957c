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
	"varde/coordinator/internal/graph"
	"varde/coordinator/internal/incident"
	"varde/coordinator/internal/verdict"
)

type incidentCommands struct {
	List     incidentListCommand     `cmd:"" help:"List incidents."`
	Show     incidentShowCommand     `cmd:"" help:"Show one incident: what happened, and what it looks like."`
	Note     incidentNoteCommand     `cmd:"" help:"Add a note."`
	Identify incidentIdentifyCommand `cmd:"" help:"Say that the cause is known."`
	Resolve  incidentResolveCommand  `cmd:"" help:"Say that it is over."`
	Reword   incidentRewordCommand   `cmd:"" help:"Put your words in the place of the measured ones."`
	False    incidentFalseCommand    `cmd:"" name:"false-alarm" help:"Say that there was no trouble."`
	Publish  incidentPublishCommand  `cmd:"" help:"Say whether everyone may see it."`
	Merge    incidentMergeCommand    `cmd:"" help:"Make it a part of another one."`
	Split    incidentSplitCommand    `cmd:"" help:"Make some of its series an incident of their own."`
	toldCommands
	Undo incidentUndoCommand `cmd:"" help:"Take back the last note, a mark, or the words and the visibility that somebody set: the machine's hold again."`
}

// Help shows examples.
func (incidentCommands) Help() string {
	return `The coordinator opens, follows and closes incidents by itself. What you add stands beside its account and is never changed by it; every deed can be taken back.

Examples:

  varde-coordinator incident list
  varde-coordinator incident show 2026-11-22-imap-9rwcp
  varde-coordinator incident note 2026-11-22-imap-9rwcp "The upstream is scrubbing."
  varde-coordinator incident undo 2026-11-22-imap-9rwcp note`
}

type incidentListCommand struct {
	configFlag
	Since time.Duration `help:"How far back." default:"720h"`
	JSON  bool          `help:"Print JSON."`
}

// Help shows an example.
func (incidentListCommand) Help() string {
	return `Example:

  varde-coordinator incident list --since 48h --json`
}

// Run prints one line an incident, the newest first.
func (c *incidentListCommand) Run(ctx context.Context, p *process) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	list, err := client.ListIncidents(ctx, p.now().Add(-c.Since))
	if err != nil {
		return err
	}
	if c.JSON {
		return p.printJSON(append([]incident.Shown{}, list...)) // [] and not null
	}
	t := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	write(t, "ID", "STAGE", "IMPACT", "BEGAN (UTC)", "LASTED", "WHAT")
	for _, i := range list {
		write(t, i.ID, stageOf(i), string(i.Impact), i.Started.UTC().Format("2006-01-02 15:04"), graph.Span(i.Lasted(p.now())), i.Title)
	}
	return t.Flush()
}

func stageOf(i incident.Shown) string {
	switch {
	case i.FalseAlarm != nil:
		return "false alarm"
	case i.Draft:
		return string(i.Stage) + " (draft)"
	}
	return string(i.Stage)
}

type incidentShowCommand struct {
	configFlag
	ID   string `arg:"" help:"The incident."`
	JSON bool   `help:"Print JSON."`
}

// Help shows an example.
func (incidentShowCommand) Help() string {
	return `Example:

  varde-coordinator incident show 2026-11-22-imap-9rwcp`
}

// Run prints the incident.
func (c *incidentShowCommand) Run(ctx context.Context, p *process) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	i, err := client.ShowIncident(ctx, c.ID)
	if err != nil {
		return err
	}
	if c.JSON {
		return p.printJSON(i)
	}
	t := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	p.writeIncident(t, i.Shown)
	for _, s := range i.Signs {
		write(t, "looks like", s.Words)
	}
	for _, m := range i.Members {
		until := "goes on"
		if !m.Until.IsZero() {
			until = "until " + utc(m.Until)
		}
		write(t, m.String(), m.State.String()+", worst "+m.Worst.String()+", since "+utc(m.Since)+", "+until)
	}
	for _, l := range i.Lines {
		write(t, utc(l.At), strings.ReplaceAll(l.Words, "\n", " ")+by(l.By))
	}
	return t.Flush()
}

func by(name string) string {
	if name == "" {
		return ""
	}
	return " (" + name + ")"
}

// writeIncident writes the head of an incident.
func (p *process) writeIncident(t *tabwriter.Writer, i incident.Shown) {
	write(t, i.ID, i.Title)
	write(t, "", i.Summary)
	write(t, "stage", stageOf(i)+", impact "+string(i.Impact)+", "+map[bool]string{true: "public (the public page shows services, not incidents)", false: "private"}[i.Public])
	write(t, "began", utc(i.Started)+", lasted "+graph.Span(i.Lasted(p.now())))
	for _, x := range []struct {
		name string
		at   time.Time
	}{{"told", i.Detected}, {"well again", i.Recovered}, {"over", i.Resolved}} {
		if !x.at.IsZero() {
			write(t, x.name, utc(x.at))
		}
	}
}

// deed is what every command that changes an incident takes.
type deed struct {
	configFlag
	ID string `arg:"" help:"The incident."`
	By string `help:"Who says so, you if not given." placeholder:"NAME"`
}

// order has something done and prints what became of it.
func (d *deed) order(ctx context.Context, p *process, o incident.Order) error {
	client, err := d.client()
	if err != nil {
		return err
	}
	o.At, o.By = p.now().UTC(), cmp.Or(d.By, p.user())
	i, err := client.OrderIncident(ctx, d.ID, o)
	if err != nil {
		return err
	}
	t := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	p.writeIncident(t, i)
	return t.Flush()
}

type incidentNoteCommand struct {
	deed
	Text string `arg:"" help:"What is to be kept."`
}

// Run adds the note.
func (c *incidentNoteCommand) Run(ctx context.Context, p *process) error {
	return c.order(ctx, p, incident.Order{Deed: incident.Noting, Mark: incident.Mark{Text: c.Text}})
}

type incidentIdentifyCommand struct {
	deed
	Text string `arg:"" optional:"" help:"What it is."`
}

// Run says that the cause is known.
func (c *incidentIdentifyCommand) Run(ctx context.Context, p *process) error {
	return c.order(ctx, p, incident.Order{Deed: incident.Identifying, Mark: incident.Mark{Text: c.Text}})
}

type incidentResolveCommand struct {
	deed
	Text string `arg:"" optional:"" help:"Why it is."`
}

// Run says that it is over.
func (c *incidentResolveCommand) Run(ctx context.Context, p *process) error {
	return c.order(ctx, p, incident.Order{Deed: incident.Resolving, Mark: incident.Mark{Text: c.Text}})
}

type incidentRewordCommand struct {
	deed
	Title   string `help:"The title; the measured one if not given."`
	Summary string `help:"The summary; the measured one if not given."`
}

// Run sets the wording.
func (c *incidentRewordCommand) Run(ctx context.Context, p *process) error {
	return c.order(ctx, p, incident.Order{Deed: incident.Rewording, Title: c.Title, Summary: c.Summary})
}

type incidentFalseCommand struct {
	deed
	Reason string `arg:"" help:"How that is known."`
}

// Run says that there was no trouble.
func (c *incidentFalseCommand) Run(ctx context.Context, p *process) error {
	return c.order(ctx, p, incident.Order{Deed: incident.CallingFalse, Mark: incident.Mark{Text: c.Reason}})
}

type incidentPublishCommand struct {
	deed
	Private bool `help:"Show it to operators only."`
}

// Run says whether everyone may see it.
func (c *incidentPublishCommand) Run(ctx context.Context, p *process) error {
	return c.order(ctx, p, incident.Order{Deed: incident.Publishing, Public: !c.Private})
}

type incidentMergeCommand struct {
	deed
	Into string `help:"The incident that stands for both." required:"" placeholder:"ID"`
}

// Run merges.
func (c *incidentMergeCommand) Run(ctx context.Context, p *process) error {
	return c.order(ctx, p, incident.Order{Deed: incident.Merging, Into: c.Into})
}

type incidentSplitCommand struct {
	deed
	Series []string `arg:"" help:"Series as \"incident show\" names them: CHECK/REGION/FAMILY."`
}

// Run splits.
func (c *incidentSplitCommand) Run(ctx context.Context, p *process) error {
	o := incident.Order{Deed: incident.Splitting}
	for _, text := range c.Series {
		s, err := verdict.ParseSeries(text)
		if err != nil {
			return varde.Misuse(fmt.Errorf("incident split: %w", err))
		}
		o.Series = append(o.Series, s)
	}
	return c.order(ctx, p, o)
}

type incidentUndoCommand struct {
	deed
	Deed string `arg:"" help:"note, identify, resolve, reword, false-alarm, publish or merge."`
}

// Run takes a deed back.
func (c *incidentUndoCommand) Run(ctx context.Context, p *process) error {
	if c.Deed == "split" {
		return varde.Misuse(errors.New("incident undo: got split, expected another deed: what was split is put together by `incident merge`"))
	}
	return c.order(ctx, p, incident.Order{Deed: incident.Deed(strings.ReplaceAll(c.Deed, "-", "_")), Back: true})
}
