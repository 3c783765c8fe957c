package recording

import (
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"varde/checks"
	"varde/proto/wire"
)

// missing stands in the place of what a line has not given yet.
const missing = 0xff

const (
	// Nothing was measured before and after these years, and between them
	// nanoseconds can be counted.
	firstYear, lastYear = 2000, 2199
	// maxEarly is how long before it was due a run may begin, by a clock that was set
	// meanwhile.
	maxEarly = time.Hour
	// maxMS is the longest that anything may take, in milliseconds, maxS that for which
	// it may speak, in seconds.
	maxMS = float64(checks.MaxEvery / time.Millisecond)
	maxS  = float64(checks.MaxEvery / time.Second)
)

// decoder reads lines. One copy is kept of names, so that observations hold none of
// the bytes of their lines.
type decoder struct {
	names           []Names
	phases, classes map[string]struct{}
	options         json.Options
	line            checks.ObservationJSON
	probes, epochs  words
}

func newDecoder(names []Names) *decoder {
	return &decoder{
		names: names, phases: setOf(checks.Phases()), classes: setOf(checks.Classes()),
		options: json.RejectUnknownMembers(true), probes: make(words), epochs: words{"": ""},
	}
}

func setOf[T ~string](list []T) map[string]struct{} {
	set := make(map[string]struct{}, len(list))
	for _, x := range list {
		set[string(x)] = struct{}{}
	}
	return set
}

// decode reads one line. Where it does not say for how long it speaks, that is
// checks.MaxEvery: whoever judges it cuts it to the interval of its check.
func (d *decoder) decode(line []byte) (checks.Observation, error) {
	j := &d.line
	*j = checks.ObservationJSON{Trigger: missing, Outcome: missing, ElapsedMS: -missing, Phases: j.Phases[:0]}
	if err := json.Unmarshal(line, j, d.options); err != nil {
		return checks.Observation{}, reworded(err)
	}
	for _, look := range []func() error{d.given, d.named, d.lasted} {
		if err := look(); err != nil {
			return checks.Observation{}, err
		}
	}
	o := j.Observation()
	if j.EveryS == nil {
		o.Every = checks.MaxEvery
	}
	o.Scheduled, o.Started = o.Scheduled.UTC(), o.Started.UTC()
	if err := wire.CheckResult(o.Result); err != nil {
		return checks.Observation{}, err
	}
	return o, sane(&o)
}

// given looks for what every line has.
func (d *decoder) given() error {
	j := &d.line
	for _, k := range [...]struct {
		key     string
		missing bool
	}{
		{"check", j.Check == ""},
		{"service", j.Service == ""},
		{"probe", j.Probe == ""},
		{"region", j.Region == ""},
		{"family", j.Family == checks.NoFamily},
		{"trigger", j.Trigger == missing},
		{"scheduled", j.Scheduled.IsZero()},
		{"started", j.Started.IsZero()},
		{"elapsed_ms", j.ElapsedMS == -missing},
		{"outcome", j.Outcome == missing},
	} {
		if k.missing {
			return fmt.Errorf("%s: missing", k.key)
		}
	}
	return nil
}

// named looks at every name.
func (d *decoder) named() (err error) {
	j := &d.line
	for i := range d.names {
		if err := d.names[i].know(&j.Check, &j.Service, &j.Region); err != nil {
			return err
		}
	}
	if j.Probe, err = d.probes.keep(j.Probe, checkID); err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	if j.Epoch, err = d.epochs.keep(j.Epoch, wire.CheckEpoch); err != nil {
		return err
	}
	if _, known := d.classes[string(j.Class)]; !known && j.Class != "" {
		return fmt.Errorf("class: %.80q is not known", j.Class)
	}
	if _, known := d.phases[string(j.FailedPhase)]; !known && j.FailedPhase != "" {
		return fmt.Errorf("failed_phase: %.80q is not known", j.FailedPhase)
	}
	return nil
}

func checkID(s string) error {
	if !checks.ValidID(s) {
		return fmt.Errorf("%.80q is not an id", s)
	}
	return nil
}

// lasted looks at phases and durations.
func (d *decoder) lasted() error {
	j := &d.line
	if j.ElapsedMS < 0 || j.ElapsedMS > maxMS {
		return fmt.Errorf("elapsed_ms: got %g, expected 0 to %g", j.ElapsedMS, maxMS)
	}
	if j.EveryS != nil && (*j.EveryS < 0 || *j.EveryS > maxS) {
		return fmt.Errorf("every_s: got %g, expected 0 to %g", *j.EveryS, maxS)
	}
	if len(j.Phases) > len(d.phases) {
		return fmt.Errorf("phases: got %d, expected at most %d", len(j.Phases), len(d.phases))
	}
	for _, p := range j.Phases {
		if _, known := d.phases[string(p.Name)]; !known {
			return fmt.Errorf("phases: %.80q is not known", p.Name)
		}
		if p.MS < 0 || p.MS > maxMS {
			return fmt.Errorf("phases: got %g ms for %s, expected 0 to %g", p.MS, p.Name, maxMS)
		}
	}
	return nil
}

// sane looks at the times.
func sane(o *checks.Observation) error {
	if y := o.Started.Year(); y < firstYear || y > lastYear {
		return fmt.Errorf("started: got %s, expected the years %d to %d", o.Started.Format(time.RFC3339), firstYear, lastYear)
	}
	if late := o.Started.Sub(o.Scheduled); late < -maxEarly || late > checks.MaxEvery {
		return fmt.Errorf("started: got %s, expected at most %s before and %s after scheduled, %s",
			o.Started.Format(time.RFC3339), maxEarly, checks.MaxEvery, o.Scheduled.Format(time.RFC3339))
	}
	return nil
}
