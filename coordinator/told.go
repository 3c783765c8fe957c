package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	"varde/coordinator/internal/bulletin"
	"varde/coordinator/internal/incident"
)

// The commands on what the public pages tell of an incident. They stand among those on
// incidents.
type toldCommands struct {
	Told    toldCommand    `cmd:"" help:"Show what the public pages tell of it, and every act with its reason."`
	Post    postCommand    `cmd:"" help:"Tell the public something in your words."`
	Rewrite rewriteCommand `cmd:"" help:"Change the words of something that was told."`
	Take    takeCommand    `cmd:"" help:"Write the words yourself from here on: the machine leaves them alone."`
	Give    giveCommand    `cmd:"" help:"Let the machine write again."`
}

type toldCommand struct {
	configFlag
	ID   string `arg:"" help:"The incident."`
	JSON bool   `help:"Print JSON."`
}

// Help shows an example.
func (toldCommand) Help() string {
	return `Example:

  varde-coordinator incident told 2026-11-22-imap-9rwcp`
}

// Run prints what each page tells.
func (c *toldCommand) Run(ctx context.Context, p *process) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	list, err := client.Bulletins(ctx, c.ID)
	if err != nil {
		return err
	}
	if c.JSON {
		return p.printJSON(append([]bulletin.Bulletin{}, list...)) // [] and not null
	}
	if len(list) == 0 {
		_, err := fmt.Fprintln(p.stdout, "No page tells anything of it.")
		return err
	}
	t := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	for _, b := range list {
		p.writeBulletin(t, b)
	}
	return t.Flush()
}

// writeBulletin writes what one page tells.
func (p *process) writeBulletin(t *tabwriter.Writer, b bulletin.Bulletin) {
	state := b.State()
	switch {
	case b.Withdrawn != nil:
		state = "withdrawn"
	case b.State() == bulletin.Waiting:
		state = "waits for you until " + utc(b.Due) + ": incident publish, or publish --private"
	case b.Taken != nil:
		state += ", " + b.Taken.By + " writes"
	}
	write(t, "page", b.Page+": "+state)
	write(t, "title", b.Title)
	for _, u := range b.Updates {
		write(t, u.ID, utc(u.At)+", "+string(u.Stage)+by(u.By)+": "+strings.ReplaceAll(u.Text, "\n", " "))
	}
	for _, e := range b.Log {
		write(t, utc(e.At), e.Did+": "+e.Why+by(e.By))
	}
}

// telling is what the commands share that change what a page tells.
type telling struct {
	deed
	Page string `help:"The id of the page, where several tell of it." placeholder:"ID"`
}

// tell has something done with what a page tells, and prints what it tells then.
func (c *telling) tell(ctx context.Context, p *process, o bulletin.Order) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	page, err := c.page(ctx)
	if err != nil {
		return err
	}
	o.At, o.By = p.now().UTC(), cmp.Or(c.By, p.user())
	b, err := client.OrderBulletin(ctx, page, c.ID, o)
	if err != nil {
		return err
	}
	t := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	p.writeBulletin(t, b)
	return t.Flush()
}

// page is the page that is meant: the one that was named, or the only one.
func (c *telling) page(ctx context.Context) (string, error) {
	if c.Page != "" {
		return c.Page, nil
	}
	client, err := c.client()
	if err != nil {
		return "", err
	}
	list, err := client.Bulletins(ctx, c.ID)
	if err != nil {
		return "", err
	}
	var pages []string
	for _, b := range list {
		pages = append(pages, b.Page)
	}
	switch len(pages) {
	case 0:
		return "", fmt.Errorf("incident %s: no page tells anything of it; `incident publish` has it told", c.ID)
	case 1:
		return pages[0], nil
	}
	return "", fmt.Errorf("incident %s: %d pages tell of it, expected --page with one of %s", c.ID, len(pages), strings.Join(pages, ", "))
}

type postCommand struct {
	telling
	Text  string         `arg:"" help:"What is told, in the language of the page."`
	Stage incident.Stage `help:"How far it is: investigating, identified, monitoring or resolved; as before if not given." placeholder:"STAGE"`
}

// Help shows an example.
func (postCommand) Help() string {
	return `From then on the machine leaves the words alone, until you give it back.

Example:

  varde-coordinator incident post 2026-11-22-imap-9rwcp --stage identified "We are under attack and route around it."`
}

// Run tells it.
func (c *postCommand) Run(ctx context.Context, p *process) error {
	return c.tell(ctx, p, bulletin.Order{Deed: bulletin.Posting, Stage: c.Stage, Mark: incident.Mark{Text: c.Text}})
}

type rewriteCommand struct {
	telling
	Update string `arg:"" help:"The update, as told shows it."`
	Text   string `arg:"" help:"Its new words."`
}

// Run changes the words.
func (c *rewriteCommand) Run(ctx context.Context, p *process) error {
	return c.tell(ctx, p, bulletin.Order{Deed: bulletin.Rewriting, Update: c.Update, Mark: incident.Mark{Text: c.Text}})
}

type takeCommand struct{ telling }

// Run takes it.
func (c *takeCommand) Run(ctx context.Context, p *process) error {
	return c.tell(ctx, p, bulletin.Order{Deed: bulletin.Taking})
}

type giveCommand struct{ telling }

// Run gives it back.
func (c *giveCommand) Run(ctx context.Context, p *process) error {
	return c.tell(ctx, p, bulletin.Order{Deed: bulletin.Giving})
}
