package recording

import (
	"io"

	"github.com/parquet-go/parquet-go"

	"varde/checks"
)

// Parquet writes observations as an Apache Parquet file
// (https://parquet.apache.org/docs/file-format/), one row each, for notebooks and
// databases. Its columns are the keys of the JSON form, but:
//
//   - scheduled and started are timestamps in UTC, with nanoseconds;
//   - every phase has a column of its own, as tls_ms, which is null where it did not run;
//   - every_s is null where the run was not scheduled;
//   - failed_phase, class, detail and address are null where the JSON form has none;
//   - what a server presented is not in it: it stands in the JSON lines.
type Parquet struct {
	file *parquet.GenericWriter[any]
	// columns are the places of the columns by their names, row is one row.
	columns map[string]int
	row     parquet.Row
}

// rowGroup is how many rows stand together: as many as are held in memory.
const rowGroup = 100_000

// NewParquet begins a file. Close ends it.
func NewParquet(w io.Writer) *Parquet {
	schema := parquet.NewSchema("observation", columns())
	p := &Parquet{
		file:    parquet.NewGenericWriter[any](w, schema, parquet.Compression(&parquet.Zstd), parquet.MaxRowsPerRowGroup(rowGroup)),
		columns: make(map[string]int),
	}
	for _, path := range schema.Columns() {
		leaf, _ := schema.Lookup(path...)
		p.columns[path[0]] = leaf.ColumnIndex
	}
	p.row = make(parquet.Row, len(p.columns))
	return p
}

// phaseColumn is the name of the column of a phase.
func phaseColumn(p checks.Phase) string { return string(p) + "_ms" }

func columns() parquet.Group {
	word := func() parquet.Node { return parquet.Encoded(parquet.String(), &parquet.RLEDictionary) }
	g := parquet.Group{
		"seq": parquet.Uint(64), "plan": parquet.Uint(64), "elapsed_ms": parquet.Leaf(parquet.DoubleType),
		"scheduled": parquet.Timestamp(parquet.Nanosecond), "started": parquet.Timestamp(parquet.Nanosecond),
	}
	for _, name := range []string{"check", "service", "probe", "region", "family", "epoch", "trigger", "outcome"} {
		g[name] = word()
	}
	for _, name := range []string{"failed_phase", "class", "detail", "address"} {
		g[name] = parquet.Optional(word())
	}
	g["every_s"] = parquet.Optional(parquet.Leaf(parquet.DoubleType))
	for _, phase := range checks.Phases() {
		g[phaseColumn(phase)] = parquet.Optional(parquet.Leaf(parquet.DoubleType))
	}
	return g
}

// Write adds an observation.
func (p *Parquet) Write(o checks.Observation) error {
	for i := range p.row {
		p.row[i] = parquet.NullValue().Level(0, 0, i)
	}
	for name, v := range map[string]string{
		"check": o.Check, "service": o.Service, "probe": o.Probe, "region": o.Region, "family": o.Family.String(),
		"epoch": o.Epoch, "trigger": o.Trigger.String(), "outcome": o.Outcome.String(),
	} {
		p.set(name, 0, parquet.ByteArrayValue([]byte(v)))
	}
	for name, v := range map[string]string{
		"failed_phase": string(o.FailedPhase), "class": string(o.Class), "detail": o.Detail, "address": o.Address,
	} {
		if v != "" {
			p.set(name, 1, parquet.ByteArrayValue([]byte(v)))
		}
	}
	p.set("seq", 0, parquet.Int64Value(int64(o.Seq)))
	p.set("plan", 0, parquet.Int64Value(int64(o.Plan)))
	p.set("elapsed_ms", 0, parquet.DoubleValue(checks.Milliseconds(o.Elapsed)))
	p.set("scheduled", 0, parquet.Int64Value(o.Scheduled.UnixNano()))
	p.set("started", 0, parquet.Int64Value(o.Started.UnixNano()))
	if o.Trigger == checks.Scheduled {
		p.set("every_s", 1, parquet.DoubleValue(o.Every.Seconds()))
	}
	for _, t := range o.Phases {
		p.set(phaseColumn(t.Name), 1, parquet.DoubleValue(checks.Milliseconds(t.Duration)))
	}
	_, err := p.file.WriteRows([]parquet.Row{p.row})
	return err
}

// set gives a column its value; defined is 1 in one that may be null.
func (p *Parquet) set(name string, defined int, v parquet.Value) {
	if i, ok := p.columns[name]; ok {
		p.row[i] = v.Level(0, defined, i)
	}
}

// Close writes what is left and ends the file.
func (p *Parquet) Close() error { return p.file.Close() }
