package wire

import (
	"fmt"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"varde/checks"
	vardev1 "varde/proto/varde/v1"
)

// maxPhases is more than any kind has.
const maxPhases = 16

func observationToProto(o checks.Observation) *vardev1.Observation {
	m := &vardev1.Observation{
		Check: o.Check, Service: o.Service, Family: vardev1.Family(o.Family), Plan: o.Plan,
		Trigger:   vardev1.Trigger(o.Trigger) + 1,
		Scheduled: timestamppb.New(o.Scheduled), Started: timestamppb.New(o.Started),
		Elapsed: durationpb.New(o.Elapsed), Every: durationpb.New(o.Every),
		Outcome: vardev1.Outcome(o.Outcome), FailedPhase: string(o.FailedPhase),
		Class: string(o.Class), Detail: o.Detail, Address: o.Address, Seq: o.Seq,
		Tls:    handshakeToProto(o.TLS),
		Phases: make([]*vardev1.PhaseTiming, len(o.Phases)),
	}
	for i, p := range o.Phases {
		m.Phases[i] = &vardev1.PhaseTiming{Name: string(p.Name), Duration: durationpb.New(p.Duration)}
	}
	return m
}

func observationFromProto(m *vardev1.Observation) (checks.Observation, error) {
	o := checks.Observation{
		Check: m.GetCheck(), Service: m.GetService(), Family: checks.Family(m.GetFamily()),
		Plan: m.GetPlan(), Trigger: checks.Trigger(m.GetTrigger() - 1), Seq: m.GetSeq(),
		Result: checks.Result{
			Outcome: checks.Outcome(m.GetOutcome()), FailedPhase: checks.Phase(m.GetFailedPhase()),
			Class: checks.Class(m.GetClass()), Detail: m.GetDetail(), Address: m.GetAddress(),
		},
	}
	if err := checkObservation(o, m); err != nil {
		return checks.Observation{}, err
	}
	var err error
	if o.TLS, err = handshakeFromProto(m.GetTls()); err != nil {
		return checks.Observation{}, fmt.Errorf("tls: %w", err)
	}
	set := func(to *time.Time, field string, ts *timestamppb.Timestamp) {
		if err == nil {
			*to, err = timeFromProto(field, ts)
		}
	}
	set(&o.Scheduled, "scheduled", m.GetScheduled())
	set(&o.Started, "started", m.GetStarted())
	setDuration := func(to *time.Duration, field string, d *durationpb.Duration) {
		if err == nil {
			*to, err = durationFromProto(field, d)
		}
	}
	setDuration(&o.Elapsed, "elapsed", m.GetElapsed())
	setDuration(&o.Every, "every", m.GetEvery())
	for _, p := range m.GetPhases() {
		t := checks.PhaseTiming{Name: checks.Phase(p.GetName())}
		if err == nil && !word(p.GetName()) {
			err = fmt.Errorf("phases: name %q, expected a word", p.GetName())
		}
		setDuration(&t.Duration, "phases", p.GetDuration())
		o.Phases = append(o.Phases, t)
	}
	if err != nil {
		return checks.Observation{}, err
	}
	return o, nil
}

// checkObservation refuses what no probe of ours would send.
func checkObservation(o checks.Observation, m *vardev1.Observation) error {
	switch {
	case !checks.ValidID(o.Check):
		return fmt.Errorf("check: %q is not an id", o.Check)
	case !checks.ValidID(o.Service):
		return fmt.Errorf("service: %q is not an id", o.Service)
	case o.Seq == 0:
		return fmt.Errorf("seq: missing")
	case m.GetFamily() != vardev1.Family_FAMILY_IPV4 && m.GetFamily() != vardev1.Family_FAMILY_IPV6:
		return fmt.Errorf("family: %d, expected ipv4 or ipv6", m.GetFamily())
	case m.GetTrigger() < vardev1.Trigger_TRIGGER_SCHEDULE || m.GetTrigger() > vardev1.Trigger_TRIGGER_MANUAL:
		return fmt.Errorf("trigger: %d is not known", m.GetTrigger())
	case m.GetOutcome() < 0 || m.GetOutcome() > vardev1.Outcome_OUTCOME_DOWN:
		return fmt.Errorf("outcome: %d is not known", m.GetOutcome())
	case len(m.GetPhases()) > maxPhases:
		return fmt.Errorf("phases: %d, expected at most %d", len(m.GetPhases()), maxPhases)
	}
	return CheckResult(o.Result)
}

// CheckResult refuses a result, but for its durations, that no probe of ours would
// send. The error names the field, what was got and what is expected.
func CheckResult(r checks.Result) error {
	switch {
	case r.FailedPhase != "" && !word(string(r.FailedPhase)):
		return fmt.Errorf("failed_phase: %q, expected a word", r.FailedPhase)
	case r.Class != "" && !word(string(r.Class)):
		return fmt.Errorf("class: %q, expected a word", r.Class)
	case (r.Class == "") != (r.Outcome == checks.Up):
		return fmt.Errorf("class: %q with outcome %s, expected one exactly when not up", r.Class, r.Outcome)
	case r.FailedPhase != "" && r.Outcome == checks.Up:
		return fmt.Errorf("failed_phase: %q with outcome up, expected none", r.FailedPhase)
	case utf8.RuneCountInString(r.Detail) > checks.DetailMax:
		return fmt.Errorf("detail: longer than %d characters", checks.DetailMax)
	case !printable(r.Detail):
		return fmt.Errorf("detail: %q, expected printable characters", r.Detail)
	case len(r.Address) > 64 || !printable(r.Address):
		return fmt.Errorf("address: %.64q, expected at most 64 printable bytes", r.Address)
	}
	return nil
}

// word says whether s can name a phase or class: a newer probe may know one
// that this coordinator does not.
func word(s string) bool {
	if s == "" || len(s) > 32 {
		return false
	}
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_' {
			return false
		}
	}
	return true
}

func timeFromProto(field string, ts *timestamppb.Timestamp) (time.Time, error) {
	if ts == nil {
		return time.Time{}, fmt.Errorf("%s: missing", field)
	}
	if !ts.IsValid() {
		return time.Time{}, fmt.Errorf("%s: %d s and %d ns since 1970, expected the years 1 to 9999", field, ts.GetSeconds(), ts.GetNanos())
	}
	return ts.AsTime(), nil
}

func durationFromProto(field string, m *durationpb.Duration) (time.Duration, error) {
	d, err := signedFromProto(field, m)
	if err == nil && d < 0 {
		return 0, fmt.Errorf("%s: %s, expected zero or more", field, d)
	}
	return d, err
}

// signedFromProto refuses what a time.Duration cannot hold: AsDuration would
// answer with the nearest that it can, 292 years.
func signedFromProto(field string, m *durationpb.Duration) (time.Duration, error) {
	if m == nil {
		return 0, fmt.Errorf("%s: missing", field)
	}
	d := m.AsDuration()
	if !m.IsValid() || int64(d/time.Second) != m.GetSeconds() || int32(d%time.Second) != m.GetNanos() {
		return 0, fmt.Errorf("%s: %d s and %d ns, expected at most 292 years", field, m.GetSeconds(), m.GetNanos())
	}
	return d, nil
}
