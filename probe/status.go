package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"varde/probe/internal/status"
)

// statusCommand shows what the running agent sees.
type statusCommand struct {
	State string `help:"The state folder of the probe, ${default} if not given." default:"${state}" placeholder:"DIR" type:"path"`
	JSON  bool   `help:"Print JSON."`
	Watch bool   `help:"Print again every two seconds until interrupted."`
}

// Help shows an example.
func (statusCommand) Help() string {
	return `Asks the agent that runs on this machine for its coordinator, plan, peers and spool.

Example:

  varde-probe status --watch

Exit codes: 0 the agent answered, 1 it did not.`
}

// watchEvery is how often --watch looks.
const watchEvery = 2 * time.Second

// Run asks once, or again and again.
func (c *statusCommand) Run(ctx context.Context, p *process) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		s, err := status.Fetch(ctx, c.State)
		if err != nil {
			return err
		}
		if err := c.print(p.stdout, s, time.Now()); err != nil || !c.Watch {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if !c.JSON {
			_, err = fmt.Fprintln(p.stdout)
		}
		if err != nil {
			return err
		}
	}
}

func (c *statusCommand) print(w io.Writer, s status.Status, now time.Time) error {
	if c.JSON {
		return json.NewEncoder(w).Encode(s)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	var errs []error
	row := func(key, format string, args ...any) {
		_, err := fmt.Fprintf(t, "%s\t%s\n", key, fmt.Sprintf(format, args...))
		errs = append(errs, err)
	}
	row("probe", "%s in %s, running for %s", s.Name, s.Region, since(s.Started, now))
	row("coordinator", "%s", coordinatorWords(s.Coordinator, now))
	row("plan", "revision %d of generation %d, %d checks x families", s.Plan.Revision, s.Plan.Generation, s.Plan.Entries)
	row("runs", "%d, %d missed, %d panics", s.Schedule.Runs, s.Schedule.Missed, s.Schedule.Panics)
	row("spool", "%d records, %d bytes, %d dropped", s.Spool.Records, s.Spool.Bytes, s.Spool.Dropped)
	row("certificate", "ends %s", s.CertificateEnds.Format(time.RFC3339))
	for _, r := range s.Resting {
		row("left alone", "%s, until %s", r.What, r.Until.Format("15:04 UTC"))
	}
	for _, b := range s.BlockedPorts {
		row("blocked?", "outbound port %d has never worked from here, failing since %s", b.Port, b.Since.Format(time.RFC3339))
	}
	row("mesh", "%s", meshWords(s.Mesh))
	for _, peer := range s.Mesh.Peers {
		row("", "%s  %s  %s", peer.Name, peer.Region, peer.Address)
	}
	errs = append(errs, t.Flush())
	return errors.Join(errs...)
}

func coordinatorWords(u status.Uplink, now time.Time) string {
	words := []string{"not connected"}
	if u.Connected {
		words = []string{"connected to " + u.Address}
	}
	if u.LastAck != nil {
		words = append(words, "last acknowledged "+since(*u.LastAck, now)+" ago")
	}
	if u.LastError != "" {
		words = append(words, u.LastError)
	}
	return strings.Join(words, ", ")
}

func meshWords(m status.Mesh) string {
	if m.Error != "" {
		return "not running: " + m.Error
	}
	if m.Address == "" {
		return "not started: no plan with keys yet"
	}
	settled := "settled"
	if !m.Settled {
		settled = "not settled yet"
	}
	members := "1 member"
	if n := len(m.Peers); n != 1 {
		members = fmt.Sprintf("%d members", n)
	}
	return fmt.Sprintf("%s, %s, %s", m.Address, members, settled)
}

func since(t, now time.Time) string { return now.Sub(t).Round(time.Second).String() }
