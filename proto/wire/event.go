package wire

import (
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/types/known/timestamppb"

	"varde/checks"
	vardev1 "varde/proto/varde/v1"
)

// Event is something that a probe knows beside its observations. One of Mail
// and Findings is set.
type Event struct {
	// Seq is its place in the epoch, among the observations.
	Seq uint64
	// At is when it came to be known, by the probe's clock.
	At       time.Time
	Mail     *checks.MailEvent
	Findings *checks.Findings
}

// attribute sets who sent the event.
func (e *Event) attribute(probe, region string) {
	if e.Mail != nil {
		e.Mail.Probe, e.Mail.Region = probe, region
	}
	if e.Findings != nil {
		e.Findings.Probe, e.Findings.Region = probe, region
	}
}

func eventToProto(e Event) *vardev1.Event {
	m := &vardev1.Event{Seq: e.Seq, At: timestamppb.New(e.At)}
	switch {
	case e.Mail != nil:
		m.Kind = &vardev1.Event_Mail{Mail: mailToProto(*e.Mail)}
	case e.Findings != nil:
		m.Kind = &vardev1.Event_Findings{Findings: findingsToProto(*e.Findings)}
	}
	return m
}

func eventFromProto(m *vardev1.Event) (*Event, error) {
	e := &Event{Seq: m.GetSeq()}
	if e.Seq == 0 {
		return nil, errors.New("seq: missing")
	}
	var err error
	if e.At, err = timeFromProto("at", m.GetAt()); err != nil {
		return nil, err
	}
	switch k := m.GetKind().(type) {
	case *vardev1.Event_Mail:
		e.Mail, err = mailFromProto(k.Mail)
	case *vardev1.Event_Findings:
		e.Findings, err = findingsFromProto(k.Findings)
	default:
		err = errors.New("event is empty, expected a mail or findings")
	}
	return e, err
}

func mailToProto(e checks.MailEvent) *vardev1.Mail {
	m := &vardev1.Mail{
		Mail: e.Mail, Check: e.Check, Service: e.Service, Route: e.Route, Sent: timestamppb.New(e.Sent),
		State: string(e.State), Junk: e.Junk, Spf: e.SPF, Dkim: e.DKIM, Dmarc: e.DMARC,
	}
	if !e.Found.IsZero() {
		m.Found = timestamppb.New(e.Found)
	}
	return m
}

func mailFromProto(m *vardev1.Mail) (*checks.MailEvent, error) {
	e := &checks.MailEvent{
		Mail: m.GetMail(), Check: m.GetCheck(), Service: m.GetService(), Route: m.GetRoute(),
		State: checks.MailState(m.GetState()), Junk: m.GetJunk(), SPF: m.GetSpf(), DKIM: m.GetDkim(), DMARC: m.GetDmarc(),
	}
	if err := checkMail(e); err != nil {
		return nil, err
	}
	var err error
	if e.Sent, err = timeFromProto("sent", m.GetSent()); err != nil {
		return nil, err
	}
	if m.GetFound() != nil {
		e.Found, err = timeFromProto("found", m.GetFound())
	}
	found := map[bool]string{true: "given", false: "missing"}[m.GetFound() != nil]
	if err == nil && (e.State == checks.MailArrived) != (m.GetFound() != nil) && e.State != checks.MailLate {
		err = fmt.Errorf("found: %s with state %s, expected it exactly when found", found, e.State)
	}
	return e, err
}

// maxRoute bounds the name of a route, in bytes.
const maxRoute = 63

func checkMail(e *checks.MailEvent) error {
	states := []checks.MailState{checks.MailPending, checks.MailArrived, checks.MailLate, checks.MailLost, checks.MailUnknown}
	if err := CheckEpoch(e.Mail); err != nil {
		return fmt.Errorf("mail: %w", err)
	}
	switch {
	case !checks.ValidID(e.Check) || !checks.ValidID(e.Service):
		return fmt.Errorf("check %q of service %q, expected two ids", e.Check, e.Service)
	case e.Route == "" || len(e.Route) > maxRoute || !printable(e.Route):
		return fmt.Errorf("route: %.64q, expected 1 to %d printable bytes", e.Route, maxRoute)
	case !slices.Contains(states, e.State):
		return fmt.Errorf("state: %.32q is not known", e.State)
	}
	for _, result := range []string{e.SPF, e.DKIM, e.DMARC} {
		if result != "" && !word(result) {
			return fmt.Errorf("authentication result: %.32q, expected a word", result)
		}
	}
	return nil
}

func findingsToProto(f checks.Findings) *vardev1.Findings {
	m := &vardev1.Findings{Check: f.Check, Service: f.Service}
	for _, one := range f.List {
		m.List = append(m.List, &vardev1.Finding{Code: one.Code, Detail: one.Detail})
	}
	return m
}

func findingsFromProto(m *vardev1.Findings) (*checks.Findings, error) {
	f := &checks.Findings{Check: m.GetCheck(), Service: m.GetService()}
	if !checks.ValidID(f.Check) || !checks.ValidID(f.Service) {
		return nil, fmt.Errorf("check %q of service %q, expected two ids", f.Check, f.Service)
	}
	if n := len(m.GetList()); n > checks.FindingsMax {
		return nil, fmt.Errorf("list: %d findings, expected at most %d", n, checks.FindingsMax)
	}
	for _, one := range m.GetList() {
		if !word(one.GetCode()) {
			return nil, fmt.Errorf("code: %.32q, expected a word", one.GetCode())
		}
		if d := one.GetDetail(); utf8.RuneCountInString(d) > checks.DetailMax || !printable(d) {
			return nil, fmt.Errorf("detail: %.64q, expected at most %d printable characters", d, checks.DetailMax)
		}
		f.List = append(f.List, checks.Finding{Code: one.GetCode(), Detail: one.GetDetail()})
	}
	return f, nil
}
