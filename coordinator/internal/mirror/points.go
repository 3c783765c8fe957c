package mirror

import (
	"hash/fnv"
	"maps"
	"slices"
	"time"

	"github.com/influxdata/influxdb-client-go/v2/api/write"

	"varde/checks"
	"varde/coordinator/internal/history"
	"varde/proto/wire"
)

// The measurements, as DESIGN.md describes them.
const (
	observations = "varde_observation"
	verdicts     = "varde_verdict"
)

// scheme makes points. It holds what is looked up for every one of them.
type scheme struct {
	classes codes[checks.Class]
	phases  codes[checks.Phase]
	// service is whose the check is, empty where it is not configured any more.
	service func(check string) string
}

func newScheme(service func(check string) string) scheme {
	return scheme{codesOf(classes()), codesOf(phases()), service}
}

// batch returns a point for every observation of a batch.
func (s scheme) batch(b *wire.Batch) []*write.Point {
	var out []*write.Point
	for _, r := range b.Records {
		if r.IsObservation() {
			out = append(out, s.observation(b, r.Observation))
		}
	}
	return out
}

// observation is the point of what a probe saw, by the coordinator's clock as the
// history has it. What claims a time that cannot be stands where it arrived: nobody
// can have seen it later, and no server takes every time.
func (s scheme) observation(b *wire.Batch, o checks.Observation) *write.Point {
	o, ok := history.Correct(b, o)
	if !ok {
		o.Started = b.Received
	}
	fields := map[string]any{
		"up": is(o.Outcome == checks.Up), "down": is(o.Outcome == checks.Down), "unknown": is(o.Outcome == checks.Unknown),
		"class": s.classes.of(o.Class), "failed_phase": s.phases.of(o.FailedPhase), "elapsed_ms": checks.Milliseconds(o.Elapsed),
	}
	for _, p := range o.Phases {
		if s.phases.of(p.Name) > 0 { // a probe does not choose the names of columns
			fields["phase_"+string(p.Name)+"_ms"] = checks.Milliseconds(p.Duration)
		}
	}
	return point(observations, map[string]string{
		"check": o.Check, "service": o.Service, "region": o.Region, "probe": o.Probe, "family": o.Family.String(), "trigger": o.Trigger.String(),
	}, fields, nameTime(o.Started, epochNumber(o.Epoch)+o.Seq))
}

// verdict is the point of a change of verdict.
func (s scheme) verdict(c history.StoredChange) *write.Point {
	return point(verdicts, map[string]string{
		"check": c.Series.Check, "service": s.service(c.Series.Check), "region": c.Series.Region, "family": c.Series.Family.String(),
	}, map[string]any{
		"state": stateCode(c.To), "was": stateCode(c.From),
		"up": int64(c.Counts.Up), "down": int64(c.Counts.Down), "unknown": int64(c.Counts.Unknown),
	}, nameTime(c.At, uint64(c.ID)))
}

// point leaves out empty tags: the line protocol has none.
func point(measurement string, tags map[string]string, fields map[string]any, at time.Time) *write.Point {
	maps.DeleteFunc(tags, func(_, value string) bool { return value == "" })
	p := write.NewPointWithMeasurement(measurement).SetTime(at)
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		p.AddTag(key, tags[key])
	}
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		p.AddField(key, fields[key])
	}
	return p
}

func is(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// nameTime makes a time a name within its series: its microsecond, and of those below
// it the number of what happened. Two that follow one another in one series share a
// name only where a thousand lie between them within one microsecond.
func nameTime(t time.Time, number uint64) time.Time {
	return t.Truncate(time.Microsecond).Add(time.Duration(number % uint64(time.Microsecond)))
}

// epochNumber sets apart what has the same number in two epochs.
func epochNumber(epoch string) uint64 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(epoch)) // never fails
	return uint64(h.Sum32())
}
