package replay

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"varde/coordinator/internal/graph"
	"varde/coordinator/internal/incident"
	"varde/coordinator/internal/status"
	"varde/coordinator/internal/verdict"
)

// report writes lines for people. What cannot be written, flush tells.
type report struct {
	t   *tabwriter.Writer
	err error
}

func newReport(w io.Writer) *report { return &report{t: tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)} }

// line writes one line of a table.
func (r *report) line(cells ...string) {
	if r.err == nil {
		_, r.err = fmt.Fprintln(r.t, strings.Join(cells, "\t"))
	}
}

// head begins a part with a table of its own.
func (r *report) head(format string, args ...any) {
	r.flush()
	r.line("")
	r.line(fmt.Sprintf(format, args...))
	r.flush()
}

func (r *report) flush() {
	if r.err == nil {
		r.err = r.t.Flush()
	}
}

// WriteText writes an outcome for people: what was read, how verdicts changed and why,
// the incidents, and the numbers.
func WriteText(w io.Writer, o Outcome, read Read) error {
	r := newReport(w)
	r.read(read)
	r.changes(&o)
	r.incidents(&o, read)
	r.head("Availability, the share of slots of scheduled runs that were up")
	for _, s := range o.Services {
		r.number(s.Name, "all regions", s.Overall)
		for _, region := range s.Regions {
			r.number("", region.Name, region.Number)
		}
	}
	r.flush()
	return r.err
}

func (r *report) read(read Read) {
	r.line(fmt.Sprintf("%s, %s to %s (%s)", graph.Count(read.Observations, "observation"), moment(read.From), moment(read.To), graph.Span(read.To.Sub(read.From))))
	if read.Again {
		r.line("Some came so late that the recording was read twice.")
	}
}

// changes lists the final changes, but for those with which a series began to be up.
func (r *report) changes(o *Outcome) {
	began, shown := 0, []verdict.Change{}
	seen := make(map[verdict.Series]bool)
	for _, c := range o.Final {
		if !seen[c.Series] && c.From == verdict.Unknown && c.To == verdict.Up {
			began++
		} else {
			shown = append(shown, c)
		}
		seen[c.Series] = true
	}
	r.head("%s of verdict; %d of %d series began as up", graph.Count(len(shown), "change"), began, len(o.World.Series))
	for _, c := range shown {
		r.line(moment(c.At), c.Series.Check, regionName(o.World, c.Series.Region), c.Series.Family.Name(),
			c.From.String()+" to "+c.To.String(), c.Reason)
	}
}

func (r *report) incidents(o *Outcome, read Read) {
	r.head("%s", graph.Count(len(o.Incidents), "incident"))
	for _, i := range o.Incidents {
		r.line(i.ID, string(i.Stage), graph.Span(over(&i, read.To).Sub(i.Started)), told(&i))
		r.flush()
		r.line("  " + incident.Summary(o.World, i))
		r.flush()
	}
	if len(o.Unshown) > 0 {
		r.head("%s told that the final record does not show", graph.Count(len(o.Unshown), "incident"))
	}
	for _, i := range o.Unshown {
		r.line(i.ID, told(&i))
		r.flush()
		r.line("  " + incident.Summary(o.World, i))
		r.flush()
	}
}

// told says when an incident was told of.
func told(i *incident.Incident) string {
	if i.Detected.IsZero() {
		return "nobody was told in time"
	}
	return "told after " + graph.Span(i.Detected.Sub(i.Started))
}

func (r *report) number(service, region string, n Number) {
	r.line("  "+service, region, graph.Ratio{Value: n.Availability, Known: n.Known}.Percent(3), graph.Looked(n.Coverage))
}

func moment(t time.Time) string { return t.UTC().Format("2 Jan 2006, 15:04:05 UTC") }

func regionName(w incident.World, id string) string {
	for _, r := range w.Regions {
		if r.ID == id {
			return cmp.Or(r.Name, id)
		}
	}
	return id
}

// WriteComparison writes a comparison for people, one policy beside the other.
func WriteComparison(w io.Writer, c Comparison, read Read, regions []status.Region) error {
	r := newReport(w)
	r.read(read)
	r.flush()
	r.line("")
	p, a := &c.Policy, &c.Against
	r.line("", p.Config, a.Config)
	r.line("alarms", fmt.Sprint(p.Alarms), fmt.Sprint(a.Alarms))
	r.line("of these, not in the final record", fmt.Sprint(p.Unshown), fmt.Sprint(a.Unshown))
	r.line("recorded afterwards", fmt.Sprint(p.Afterwards), fmt.Sprint(a.Afterwards))
	r.line("missed of the other's", fmt.Sprint(len(p.Missed)), fmt.Sprint(len(a.Missed)))
	r.line("told after, half of them", seconds(p.Delay.P50), seconds(a.Delay.P50))
	r.line("told after, 95 % of them", seconds(p.Delay.P95), seconds(a.Delay.P95))
	r.line("told after, at most", seconds(p.Delay.Max), seconds(a.Delay.Max))
	for _, s := range c.States {
		r.line("time in verdict "+s.State, seconds(&s.Policy), seconds(&s.Against))
	}
	for _, n := range c.Availability {
		r.line(n.Service+", "+regionName(incident.World{Regions: regions}, n.Region)+", slots up", percent(n.Policy), percent(n.Against))
	}
	r.missed(p, a)
	r.missed(a, p)
	r.flush()
	return r.err
}

// missed lists what one side did not find of the other's.
func (r *report) missed(side, other *Side) {
	if len(side.Missed) == 0 {
		return
	}
	r.head("Not found with %s", side.Config)
	for _, id := range side.Missed {
		for _, i := range other.Record.Incidents {
			if i.ID == id {
				r.line("  "+id, i.Summary)
			}
		}
	}
}

func seconds(s *float64) string {
	if s == nil {
		return "-"
	}
	return graph.Span(time.Duration(*s * float64(time.Second)))
}

func percent(n *float64) string {
	if n == nil {
		return graph.Ratio{}.Percent(3)
	}
	return graph.Ratio{Value: *n, Known: true}.Percent(3)
}
