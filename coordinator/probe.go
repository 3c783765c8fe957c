package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"varde"
	"varde/coordinator/internal/config"
	"varde/coordinator/internal/control"
	"varde/coordinator/internal/graph"
	"varde/coordinator/internal/presence"
)

// client returns a client of the coordinator that runs with the configuration.
func (c configFlag) client() (*control.Client, error) {
	data, err := config.DataFolder(c.Config)
	if err != nil {
		return nil, err
	}
	return control.NewClient(data), nil
}

type probeCommands struct {
	Add    probeAddCommand    `cmd:"" help:"Print the command by which one new probe joins."`
	List   probeListCommand   `cmd:"" help:"List the probes of the fleet."`
	Remove probeRemoveCommand `cmd:"" help:"Revoke a probe at once."`
}

// Help shows examples.
func (probeCommands) Help() string {
	return `Examples:

  varde-coordinator probe add --name osl-1 --region eu-north
  varde-coordinator probe list
  varde-coordinator probe remove osl-1`
}

type probeAddCommand struct {
	configFlag
	Name   string        `help:"What the probe is called: a-z, 0-9 and -." required:"" placeholder:"N"`
	Region string        `help:"The id of its region in the configuration." required:"" placeholder:"R"`
	Site   string        `help:"Where it stands, e.g. the provider's data centre." placeholder:"S"`
	ASN    uint32        `help:"The number of its network." placeholder:"N"`
	TTL    time.Duration `help:"How long the command can be used." default:"1h"`
}

// Help shows examples.
func (probeAddCommand) Help() string {
	return `The command that is printed works once, on the machine that is to be the probe. Whoever has it can be that probe: hand it over as you would a password.

Examples:

  varde-coordinator probe add --name osl-1 --region eu-north
  varde-coordinator probe add --name syd-1 --region oceania \
      --site syd2 --asn 64496 --ttl 15m`
}

// Run prints the join command on stdout and the rest on stderr.
func (c *probeAddCommand) Run(ctx context.Context, p *process) error {
	if c.TTL <= 0 {
		return varde.Misuse(fmt.Errorf("probe add: --ttl: got %s, expected a time above zero such as 1h", c.TTL))
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	inv, err := client.AddProbe(ctx, control.NewProbe{Name: c.Name, Region: c.Region, Site: c.Site, ASN: c.ASN, TTL: c.TTL})
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(p.stdout, "varde-probe join %s\n", inv.Token); err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stderr, "Run this once on the machine of %s, before %s.\n", c.Name, utc(inv.Expires))
	if err != nil || !inv.Replaced {
		return err
	}
	_, err = fmt.Fprintf(p.stderr, "The join command that was printed for %s before does not work any more.\n", c.Name)
	return err
}

type probeListCommand struct {
	configFlag
	JSON bool `help:"Print JSON."`
}

// Help says what the words of the list mean.
func (probeListCommand) Help() string {
	return `The state of a probe is one of four:

  invited    its join command was printed and nobody has used it yet
  expired    nobody used its join command in time; add it again or remove it
  connected  it reports now, directly or through another probe
  silent     it has joined and does not report now; LAST SEEN says since when

FIT says whether it holds itself fit to judge; while it does not, its failures count as unknown.
A dash is what nobody knows.

Example:

  varde-coordinator probe list --json`
}

// Run prints one line a probe, by region and name.
func (c *probeListCommand) Run(ctx context.Context, p *process) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	probes, err := client.Probes(ctx)
	if err != nil {
		return err
	}
	slices.SortFunc(probes, func(a, b control.Probe) int {
		return cmp.Or(strings.Compare(a.Region, b.Region), strings.Compare(a.Name, b.Name))
	})
	if c.JSON {
		return p.printJSON(append([]control.Probe{}, probes...)) // [] and not null
	}
	t := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	write(t, "NAME", "REGION", "SITE", "STATE", "FIT", "LAST SEEN", "PLAN", "SPOOL", "VERSION")
	for _, x := range probes {
		state := x.State.String()
		if x.State == presence.Connected && x.Relay != "" {
			state += " through " + x.Relay
		}
		fit, plan, spool := "-", "-", "-"
		if x.State == presence.Connected {
			fit = presence.Fitness(x.Qualified)
		}
		if x.Version != "" { // it said something of itself
			plan, spool = fmt.Sprint(x.PlanRevision), fmt.Sprint(x.Spool)
		}
		write(t, x.Name, x.Region, cmp.Or(x.Site, "-"), state, fit, p.ago(x.LastSeen), plan, spool, cmp.Or(x.Version, "-"))
	}
	return t.Flush()
}

type probeRemoveCommand struct {
	configFlag
	Name string `arg:"" help:"The probe."`
}

// Help shows an example.
func (probeRemoveCommand) Help() string {
	return `Its connections are closed and its certificate is worth nothing from then on. What it reported stays.

Example:

  varde-coordinator probe remove osl-1`
}

// Run removes the probe and says which passwords should be changed.
func (c *probeRemoveCommand) Run(ctx context.Context, p *process) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	removal, err := client.RemoveProbe(ctx, c.Name)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(p.stdout, "removed %s\n", clean(c.Name)); err != nil || len(removal.Secrets) == 0 {
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "it knew the passwords of these checks, change them: %s\n", clean(strings.Join(removal.Secrets, ", ")))
	return err
}

type statusCommand struct {
	configFlag
	JSON bool `help:"Print JSON."`
}

// Help shows an example.
func (statusCommand) Help() string { return "Example:\n\n  varde-coordinator status" }

// Run prints what the coordinator says of itself.
func (c *statusCommand) Run(ctx context.Context, p *process) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	s, err := client.Status(ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		return p.printJSON(s)
	}
	t := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	write(t, "coordinator", s.Name+" "+s.Version)
	write(t, "started", utc(s.Started)+", "+p.ago(s.Started))
	write(t, "configuration", s.Config+", read "+p.ago(s.Loaded)+failedReload(s.ReloadError))
	write(t, "listens", fmt.Sprintf("grpc %s, public %s, ops %s", s.GRPC, s.Public, s.Ops))
	write(t, "probes", fmt.Sprintf("%d of %d connected", s.Connected, s.Probes))
	write(t, "plan", fmt.Sprintf("revision %d with %s", s.PlanRevision, graph.Count(s.Checks, "check")))
	write(t, "journal", fmt.Sprintf("messages %d to %d, newest observation %s", s.JournalFirst, s.JournalLast, p.ago(s.NewestObservation)))
	for _, n := range s.Notices {
		write(t, "notice", n)
	}
	return t.Flush()
}

// failedReload words why the file is not in force as it is: its first fault, and
// how many follow.
func failedReload(faults string) string {
	if faults == "" {
		return ""
	}
	first, rest, _ := strings.Cut(faults, "\n")
	if rest != "" {
		first += fmt.Sprintf(" (and %d more)", strings.Count(rest, "\n")+1)
	}
	return ", the last reload failed: " + first
}

func (p *process) printJSON(v any) error {
	e := json.NewEncoder(p.stdout)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// write adds one line to a table. What it cannot write, Flush reports.
func write(t *tabwriter.Writer, cells ...string) {
	_, _ = fmt.Fprintln(t, clean(strings.Join(cells, "\t")))
}

// clean keeps what a probe or a file says of itself from steering a terminal.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' || r >= ' ' && r != 0x7f && (r < 0x80 || r > 0x9f) {
			return r
		}
		return '?'
	}, s)
}

// ago says how long ago t was, "never" for the zero time.
func (p *process) ago(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return p.now().Sub(t).Round(time.Second).String() + " ago"
}

func utc(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 MST") }
