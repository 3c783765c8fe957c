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
	"varde/proto/wire"
)

// statusCommand shows what the running agent sees.
type statusCommand struct {
	State string `help:"The state folder of the probe, ${default} if not given." default:"${state}" placeholder:"DIR" type:"path"`
	JSON  bool   `help:"Print JSON."`
	Watch bool   `help:"Print again every two seconds until interrupted."`
}

// Help shows an example.
func (statusCommand) Help() string {
	return `Asks the agent that runs on this machine whether it is fit to judge, for its coordinator and the way to it, its plan, spool and peers, for what is to be mended, and for what it has counted since it started.

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
	t := &table{Writer: tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)}
	t.row("probe", "%s in %s, running for %s", s.Name, s.Region, since(s.Started, now))
	t.row("fit to judge", "%s", fitWords(s.Qualified, s.Reason))
	t.row("coordinator", "%s", coordinatorWords(s.Coordinator, now))
	t.row("plan", "revision %d of generation %d, %d checks x families", s.Plan.Revision, s.Plan.Generation, s.Plan.Entries)
	t.row("spool", "%d records, %d bytes", s.Spool.Records, s.Spool.Bytes)
	t.row("certificate", "ends %s", s.CertificateEnds.Format(time.RFC3339))
	for _, f := range s.Faults {
		t.row("to mend", "%s", f.Advice)
	}
	for _, r := range s.Resting {
		t.row("left alone", "%s, until %s", r.What, r.Until.Format("15:04 UTC"))
	}
	for _, b := range s.BlockedPorts {
		t.row("blocked?", "outbound port %d has never worked from here, failing since %s", b.Port, b.Since.Format(time.RFC3339))
	}
	t.counts(s.Counts)
	t.row("mesh", "%s", meshWords(s.Mesh))
	for _, peer := range s.Mesh.Peers {
		t.row("", "%s\t%s\t%s\t%s", peer.Name, peer.Region, peer.Address, peerWords(peer, s.Plan))
	}
	return errors.Join(append(t.errs, t.Flush())...)
}

// table is what status prints: what it is about, and what is to say of it.
type table struct {
	*tabwriter.Writer
	errs []error
}

func (t *table) row(key, format string, args ...any) {
	_, err := fmt.Fprintf(t, "%s\t%s\n", key, fmt.Sprintf(format, args...))
	t.errs = append(t.errs, err)
}

// counts lists what has happened at all.
func (t *table) counts(c wire.Counts) {
	key := "since start"
	for _, one := range c.List() {
		if one.N > 0 {
			t.row(key, "%d\t%s", one.N, one.Meaning)
			key = ""
		}
	}
}

// fitWords says whether the probe may judge others, and what it means if not.
func fitWords(q wire.Qualification, reason string) string {
	switch {
	case q == wire.Qualified:
		return "yes"
	case q == wire.NotJudged:
		return "not judged: no control was asked"
	case reason == "":
		return "no; failures count as unknown"
	}
	return "no: " + reason + "; failures count as unknown"
}

func coordinatorWords(u status.Uplink, now time.Time) string {
	words := "not connected"
	if u.Connected {
		words = "connected to " + u.Address
	}
	if u.Relay != "" {
		words += " through " + u.Relay
	}
	if u.Since != nil {
		words += " since " + clock(*u.Since, now)
	}
	if u.LastAck != nil {
		words += ", last acknowledged " + since(*u.LastAck, now) + " ago"
	}
	if u.LastError != "" {
		words += ", " + u.LastError
	}
	return words
}

// clock writes a time of the last day as "10:42 UTC", and an older one with its
// day.
func clock(t, now time.Time) string {
	if now.Sub(t) < 24*time.Hour {
		return t.UTC().Format("15:04 UTC")
	}
	return t.UTC().Format("2 Jan, 15:04 UTC")
}

// peerWords are how a probe stands, by its own words.
func peerWords(p status.Peer, plan status.Plan) string {
	words := []string{"reaches a coordinator"}
	if !p.Coordinator {
		words[0] = "reaches no coordinator by itself"
	}
	if p.Generation != plan.Generation || p.Revision != plan.Revision {
		words = append(words, fmt.Sprintf("plan %d.%d", p.Generation, p.Revision))
	}
	if p.PeerAddress == "" {
		words = append(words, "cannot help others")
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
