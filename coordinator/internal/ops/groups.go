package ops

import (
	"cmp"
	"html/template"
	"net/url"
	"slices"
	"strings"
	"time"

	"varde/checks"
	"varde/coordinator/internal/graph"
	"varde/coordinator/internal/verdict"
)

// row is one check with those of its cells that are shown, in the order of regions.
type row struct {
	check   checks.Target
	service Service
	cells   []cell
}

// group is rows that stand together.
type group struct {
	key, name string
	rows      []row
}

// board is what an overview is drawn from.
type board struct {
	now    Now
	matrix matrix
	filter filter
	// incidents are those under way, by each of the places that they are about.
	incidents map[place][]linkView
	// notices are what is to be mended, all of it.
	notices []noticeView
}

// maxOpen is how many rows are shown without being asked for: more do not fit on a
// screen or two. Rows of a group in trouble are always shown.
const maxOpen = 40

// severity ranks what an operator should look at first. Of what is unknown nothing bad
// was seen, nor anything good.
func severity(c cell) int {
	switch c.worst.state {
	case verdict.Up:
		return 0
	case verdict.Unknown:
		return 1
	}
	return 2 + int(c.worst.state)
}

func (r row) worst() cell {
	return slices.MaxFunc(r.cells, func(a, b cell) int { return cmp.Compare(severity(a), severity(b)) })
}

// latest is when a cell of the row changed last; zero if that is not known.
func (r row) latest() time.Time {
	var last time.Time
	for _, c := range r.cells {
		if c.worst.since.After(last) {
			last = c.worst.since
		}
	}
	return last
}

// keyOf is the group in which a row with this cell stands, and its name.
func (f filter) keyOf(c cell) (key, name string) {
	switch f.group {
	case "service":
		return c.service.ID, c.service.Name
	case "region":
		return c.region.ID, c.region.Name
	case "kind":
		return string(c.check.Kind), string(c.check.Kind)
	}
	return "", "" // all together; rows are parted by state when they are whole
}

// groups puts cells, which stand in the order of the configuration, into rows and those
// into groups, in the order that the filter says.
func (f filter) groups(cells []cell) []group {
	var out []group
	at := map[string]int{}
	for _, c := range cells {
		key, name := f.keyOf(c)
		i, ok := at[key]
		if !ok {
			i = len(out)
			at[key] = i
			out = append(out, group{key: key, name: name})
		}
		g := &out[i]
		if n := len(g.rows); n == 0 || g.rows[n-1].check.ID != c.check.ID {
			g.rows = append(g.rows, row{check: c.check, service: c.service})
		}
		last := &g.rows[len(g.rows)-1]
		last.cells = append(last.cells, c)
	}
	if f.group == "state" {
		out = parted(out)
	}
	for _, g := range out {
		slices.SortStableFunc(g.rows, f.before)
	}
	slices.SortStableFunc(out, f.leads)
	return out
}

// leads says which of two groups comes first. States have an order of their own.
func (f filter) leads(a, b group) int {
	if f.sort == "name" && f.group != "state" {
		return strings.Compare(a.name, b.name)
	}
	if f.group == "state" {
		f.sort = orders()[0]
	}
	return f.before(a.first(f), b.first(f))
}

// cells are those of all rows.
func (g group) cells() []cell {
	var out []cell
	for _, r := range g.rows {
		out = append(out, r.cells...)
	}
	return out
}

// first is the row of a group that decides where the group stands.
func (g group) first(f filter) row { return slices.MinFunc(g.rows, f.before) }

// before says which of two rows comes first.
func (f filter) before(a, b row) int {
	switch f.sort {
	case "name":
		return strings.Compare(a.check.ID, b.check.ID)
	case "since":
		return b.latest().Compare(a.latest())
	}
	return cmp.Compare(severity(b.worst()), severity(a.worst()))
}

// parted puts rows together by the worst of their states.
func parted(all []group) []group {
	var out []group
	for _, g := range all {
		for _, r := range g.rows {
			state := r.worst().worst.mark().String()
			i := slices.IndexFunc(out, func(g group) bool { return g.key == state })
			if i < 0 {
				i = len(out)
				out = append(out, group{key: state, name: state})
			}
			out[i].rows = append(out[i].rows, r)
		}
	}
	return out
}

// groupView is a group as the overview shows it.
type groupView struct {
	// ID is empty for the only group of rows that are not grouped.
	ID, Name string
	// Open says that the rows are shown without being asked for.
	Open   bool
	Size   string
	Counts []countedMark
	// Links lead to what else there is of the group.
	Links []linkView
	// Heads name the columns for those who do not see them.
	Heads []headView
	// Parts are the rows, at most maxOpen at a time: a browser lays out those that can
	// be seen.
	Parts [][]rowView
}

// countedMark is how many cells are in one state.
type countedMark struct {
	Glyph       template.HTML
	Class, Text string
}

type headView struct{ ID, Name, Probes, Link string }

type rowView struct {
	// Service is shown where the rows do not stand by service.
	Service, Check, Kind string
	// Links lead to the incidents of the row and to what is to be mended.
	Links []linkView
	Cells []cellView
}

type cellView struct {
	// Empty is a region that does not run the check, or a cell filtered away.
	Empty  bool
	Region string
	Strip  template.HTML
	Glyph  template.HTML
	Class  string
	Word   string
	Span   string
	Tail   string
	Bold   bool
	// Link leads to the check in this region.
	Link string
}

// groupViews draws the groups. regions are the columns.
func (b board) groupViews(groups []group, regions []Region, heads []headView) []groupView {
	rows := 0
	for _, g := range groups {
		rows += len(g.rows)
	}
	out := make([]groupView, len(groups))
	for i, g := range groups {
		v := groupView{Name: g.name, Heads: heads, Size: graph.Count(len(g.rows), "check"), Counts: counts(g.rows)}
		if b.filter.group != "none" {
			v.ID = "grp-" + b.filter.group + "-" + g.key
		}
		v.Open = rows <= maxOpen || slices.ContainsFunc(g.rows, row.ill)
		v.Links = b.linksOf(g)
		columns := regions
		if b.filter.group == "region" {
			k := slices.IndexFunc(regions, func(r Region) bool { return r.ID == g.key })
			columns, v.Heads = regions[k:k+1], heads[k:k+1]
		}
		for part := range slices.Chunk(g.rows, maxOpen) {
			rows := make([]rowView, len(part))
			for i, r := range part {
				rows[i] = b.rowView(r, columns)
			}
			v.Parts = append(v.Parts, rows)
		}
		out[i] = v
	}
	return out
}

// ill says whether a cell of the row is of a trouble.
func (r row) ill() bool {
	return slices.ContainsFunc(r.cells, func(c cell) bool { _, ill := ailmentOf(c); return ill })
}

// counts are the cells of rows by state, the worst first.
func counts(rows []row) []countedMark {
	n := map[graph.Mark]int{}
	for _, r := range rows {
		for _, c := range r.cells {
			n[c.worst.mark()]++
		}
	}
	var out []countedMark
	for _, m := range []graph.Mark{graph.Down, graph.Intermittent, graph.Slow, graph.Unknown, graph.Up} {
		if n[m] > 0 {
			out = append(out, countedMark{m.Glyph(), m.Class(), graph.Thousands(n[m]) + " " + m.String()})
		}
	}
	return out
}

// linksOf lead from a group to what else is known of it.
func (b board) linksOf(g group) []linkView {
	only := b.filter
	switch only.group {
	case "service":
		only.service = g.key
		return append(b.incidentsOf(g.cells()), linkView{"/numbers/" + g.key, "numbers"}, linkView{only.address(), "only this"})
	case "region":
		only.region = g.key
		return []linkView{{"/probes#r-" + g.key, "probes"}, {only.address(), "only this"}}
	}
	return nil
}

func (b board) rowView(r row, regions []Region) rowView {
	v := rowView{Check: r.check.ID, Kind: kindWords(r.check), Links: append(b.incidentsOf(r.cells), b.mendsOf(r.check.ID)...), Cells: make([]cellView, len(regions))}
	if b.filter.group != "service" {
		v.Service = r.service.Name
	}
	i := 0
	for k, region := range regions {
		if i == len(r.cells) || r.cells[i].region.ID != region.ID {
			v.Cells[k] = cellView{Empty: true, Region: region.ID}
			continue
		}
		v.Cells[k] = b.cellView(r.cells[i])
		i++
	}
	return v
}

// kindWords says how a check asks: "imaps", or "imaps 1993" where its port is
// not the usual one.
func kindWords(c checks.Target) string {
	u, err := url.Parse(c.URL)
	if err != nil || u.Scheme == "" {
		return string(c.Kind)
	}
	return strings.TrimSpace(u.Scheme + " " + u.Port())
}

func (b board) cellView(c cell) cellView {
	mark := c.worst.mark()
	v := cellView{
		Region: c.region.ID, Glyph: mark.Glyph(), Class: mark.Class(), Word: b.now.word(c.worst.state, c.check.ID), Bold: mark != graph.Up,
		Strip: b.matrix.picture(c), Link: "/check/" + c.check.ID + "#r-" + c.region.ID,
	}
	if !c.worst.since.IsZero() {
		v.Span = graph.Span(b.now.At.Sub(c.worst.since))
	}
	switch {
	case mark == graph.Up && c.strip.P50 > 0:
		v.Tail = graph.Latency(c.strip.P50)
	case mark.Trouble():
		v.Tail = string(c.strip.Phase)
	}
	if c.worst.mixed {
		v.Tail = strings.Trim(v.Tail+", "+familyWords(c.worst.families), ", ")
	}
	return v
}
