package wire_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"varde/checks"
	vardev1 "varde/proto/varde/v1"
	"varde/proto/wire"
)

func goodObservation() *vardev1.Observation {
	at := timestamppb.New(time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC))
	return &vardev1.Observation{
		Check: "imap-login", Service: "imap", Family: vardev1.Family_FAMILY_IPV4, Seq: 17,
		Trigger: vardev1.Trigger_TRIGGER_SCHEDULE, Scheduled: at, Started: at,
		Elapsed: durationpb.New(time.Second), Every: durationpb.New(30 * time.Second),
		Outcome: vardev1.Outcome_OUTCOME_DOWN, FailedPhase: "tls", Class: "tls_timeout",
		Phases: []*vardev1.PhaseTiming{{Name: "tls", Duration: durationpb.New(time.Second)}},
	}
}

// refused fails unless err is exactly the given one.
func refused(t *testing.T, want string, err error) {
	t.Helper()
	if err == nil {
		t.Errorf("accepted, want error %q", want)
	} else if err.Error() != want {
		t.Errorf("got error  %q\nwant error %q", err, want)
	}
}

func TestObservationRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*vardev1.Observation)
		want  string
	}{
		"no check":        {func(o *vardev1.Observation) { o.Check = "" }, `check: "" is not an id`},
		"check":           {func(o *vardev1.Observation) { o.Check = "A b" }, `check: "A b" is not an id`},
		"no service":      {func(o *vardev1.Observation) { o.Service = "" }, `service: "" is not an id`},
		"no seq":          {func(o *vardev1.Observation) { o.Seq = 0 }, `seq: missing`},
		"no family":       {func(o *vardev1.Observation) { o.Family = 0 }, `family: 0, expected ipv4 or ipv6`},
		"family":          {func(o *vardev1.Observation) { o.Family = 257 }, `family: 257, expected ipv4 or ipv6`},
		"no trigger":      {func(o *vardev1.Observation) { o.Trigger = 0 }, `trigger: 0 is not known`},
		"trigger":         {func(o *vardev1.Observation) { o.Trigger = 257 }, `trigger: 257 is not known`},
		"outcome":         {func(o *vardev1.Observation) { o.Outcome = 257 }, `outcome: 257 is not known`},
		"outcome below":   {func(o *vardev1.Observation) { o.Outcome = -1 }, `outcome: -1 is not known`},
		"failed phase":    {func(o *vardev1.Observation) { o.FailedPhase = "TLS" }, `failed_phase: "TLS", expected a word`},
		"class":           {func(o *vardev1.Observation) { o.Class = strings.Repeat("x", 33) }, `class: "` + strings.Repeat("x", 33) + `", expected a word`},
		"down, no class":  {func(o *vardev1.Observation) { o.Class = "" }, `class: "" with outcome down, expected one exactly when not up`},
		"up with class":   {func(o *vardev1.Observation) { o.Outcome = 1 }, `class: "tls_timeout" with outcome up, expected one exactly when not up`},
		"up with a phase": {func(o *vardev1.Observation) { o.Outcome, o.Class = 1, "" }, `failed_phase: "tls" with outcome up, expected none`},
		"long detail":     {func(o *vardev1.Observation) { o.Detail = strings.Repeat("æ", 257) }, `detail: longer than 256 characters`},
		"escapes in detail": {
			func(o *vardev1.Observation) { o.Detail = "a\x1b[2Jb" },
			`detail: "a\x1b[2Jb", expected printable characters`,
		},
		"long address": {
			func(o *vardev1.Observation) { o.Address = strings.Repeat("1", 65) },
			`address: "` + strings.Repeat("1", 64) + `", expected at most 64 printable bytes`,
		},
		"address": {
			func(o *vardev1.Observation) { o.Address = "a\n" },
			`address: "a\n", expected at most 64 printable bytes`,
		},
		"17 phases":        {func(o *vardev1.Observation) { o.Phases = make([]*vardev1.PhaseTiming, 17) }, `phases: 17, expected at most 16`},
		"empty phase":      {func(o *vardev1.Observation) { o.Phases[0] = nil }, `phases: name "", expected a word`},
		"phase":            {func(o *vardev1.Observation) { o.Phases[0].Name = "a b" }, `phases: name "a b", expected a word`},
		"no duration":      {func(o *vardev1.Observation) { o.Phases[0].Duration = nil }, `phases: missing`},
		"no scheduled":     {func(o *vardev1.Observation) { o.Scheduled = nil }, `scheduled: missing`},
		"no started":       {func(o *vardev1.Observation) { o.Started = nil }, `started: missing`},
		"no elapsed":       {func(o *vardev1.Observation) { o.Elapsed = nil }, `elapsed: missing`},
		"no every":         {func(o *vardev1.Observation) { o.Every = nil }, `every: missing`},
		"negative elapsed": {func(o *vardev1.Observation) { o.Elapsed = durationpb.New(-1) }, `elapsed: -1ns, expected zero or more`},
		"elapsed too long": {func(o *vardev1.Observation) { o.Elapsed.Seconds = 1e10 }, `elapsed: 10000000000 s and 0 ns, expected at most 292 years`},
		"elapsed without end": {
			func(o *vardev1.Observation) { o.Elapsed = &durationpb.Duration{Seconds: 1e10, Nanos: 854775807} },
			`elapsed: 10000000000 s and 854775807 ns, expected at most 292 years`,
		},
		"nanos without end": {func(o *vardev1.Observation) { o.Every.Nanos = 1e9 }, `every: 30 s and 1000000000 ns, expected at most 292 years`},
		"before the year 1": {
			func(o *vardev1.Observation) { o.Started = &timestamppb.Timestamp{Seconds: -62135596801} },
			`started: -62135596801 s and 0 ns since 1970, expected the years 1 to 9999`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := goodObservation()
			c.spoil(o)
			b := encode(t, &vardev1.Record{Kind: &vardev1.Record_Observation{Observation: o}})
			_, err := wire.UnmarshalRecord(b)
			refused(t, c.want, err)
		})
	}
}

// TestMarshalRecordRefuses: a record that could not be read again must not
// reach a spool.
func TestMarshalRecordRefuses(t *testing.T) {
	_, _, err := wire.MarshalRecord(wire.Record{Observation: checks.Observation{Check: "imap", Service: "imap"}})
	refused(t, "record: seq: missing", err)
	_, _, err = wire.MarshalRecord(wire.Record{Gap: &wire.Gap{First: 2, Last: 1}})
	refused(t, "record: gap: 2 to 1, expected 1 <= first <= last", err)
}

func encode(t *testing.T, m proto.Message) []byte {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func observed(seq uint64) *vardev1.Record {
	o := goodObservation()
	o.Seq = seq
	return &vardev1.Record{Kind: &vardev1.Record_Observation{Observation: o}}
}

func dropped(first, last uint64) *vardev1.Record {
	now := timestamppb.Now()
	return &vardev1.Record{Kind: &vardev1.Record_Gap{Gap: &vardev1.Gap{First: first, Last: last, From: now, To: now}}}
}

func TestBatchRefusals(t *testing.T) {
	many := make([]*vardev1.Record, wire.MaxRecords+1)
	for i := range many {
		many[i] = observed(uint64(i + 1))
	}
	noFrom, noTo := dropped(1, 2), dropped(1, 2)
	noFrom.GetGap().From, noTo.GetGap().To = nil, nil
	for name, c := range map[string]struct {
		epoch   string
		records []*vardev1.Record
		want    string
	}{
		"no epoch":      {"", many[:1], `epoch: 0 bytes, expected 1 to 64`},
		"long epoch":    {strings.Repeat("a", 65), many[:1], `epoch: 65 bytes, expected 1 to 64`},
		"epoch":         {"a/b", many[:1], `epoch: "a/b", expected a-z, 0-9 and -`},
		"no records":    {"e", nil, `records: got 0, expected 1 to 1000`},
		"many records":  {"e", many, `records: got 1001, expected 1 to 1000`},
		"empty record":  {"e", []*vardev1.Record{{}}, `records[0]: record is empty, expected an observation, an event or a gap`},
		"nil record":    {"e", []*vardev1.Record{nil}, `records[0]: record is empty, expected an observation, an event or a gap`},
		"hole":          {"e", []*vardev1.Record{observed(1), observed(3)}, `records[1]: seq 3 does not follow 1`},
		"twice":         {"e", []*vardev1.Record{observed(1), observed(1)}, `records[1]: seq 1 does not follow 1`},
		"after a gap":   {"e", []*vardev1.Record{dropped(4, 9), observed(9)}, `records[1]: seq 9 does not follow 9`},
		"after the end": {"e", []*vardev1.Record{dropped(1, 1<<64-1), dropped(1, 2)}, `records[1]: seq 1 does not follow 18446744073709551615`},
		"gap from 0":    {"e", []*vardev1.Record{dropped(0, 9)}, `records[0]: gap: 0 to 9, expected 1 <= first <= last`},
		"gap backwards": {"e", []*vardev1.Record{dropped(9, 8)}, `records[0]: gap: 9 to 8, expected 1 <= first <= last`},
		"gap, no from":  {"e", []*vardev1.Record{noFrom}, `records[0]: from: missing`},
		"gap, no to":    {"e", []*vardev1.Record{noTo}, `records[0]: to: missing`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := wire.BatchFromProto(&vardev1.Batch{Epoch: c.epoch, Records: c.records})
			refused(t, c.want, err)
		})
	}
}

func TestEventRefusals(t *testing.T) {
	at := timestamppb.New(time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC))
	mail := func(spoil func(*vardev1.Mail)) *vardev1.Event {
		m := &vardev1.Mail{Mail: "0a1b", Check: "mail-loop", Service: "mail", Route: "internal", Sent: at, Found: at, State: "arrived", Spf: "pass"}
		spoil(m)
		return &vardev1.Event{Seq: 1, At: at, Kind: &vardev1.Event_Mail{Mail: m}}
	}
	findings := func(f *vardev1.Findings) *vardev1.Event {
		f.Check, f.Service = "mx", "mail"
		return &vardev1.Event{Seq: 1, At: at, Kind: &vardev1.Event_Findings{Findings: f}}
	}
	for name, c := range map[string]struct {
		event *vardev1.Event
		want  string
	}{
		"no seq":      {&vardev1.Event{At: at}, `seq: missing`},
		"no time":     {&vardev1.Event{Seq: 1}, `at: missing`},
		"empty":       {&vardev1.Event{Seq: 1, At: at}, `event is empty, expected a mail or findings`},
		"mail":        {mail(func(m *vardev1.Mail) { m.Mail = "A" }), `mail: epoch: "A", expected a-z, 0-9 and -`},
		"check":       {mail(func(m *vardev1.Mail) { m.Check = "" }), `check "" of service "mail", expected two ids`},
		"no route":    {mail(func(m *vardev1.Mail) { m.Route = "" }), `route: "", expected 1 to 63 printable bytes`},
		"state":       {mail(func(m *vardev1.Mail) { m.State = "found" }), `state: "found" is not known`},
		"spf":         {mail(func(m *vardev1.Mail) { m.Spf = "a b" }), `authentication result: "a b", expected a word`},
		"not sent":    {mail(func(m *vardev1.Mail) { m.Sent = nil }), `sent: missing`},
		"not arrived": {mail(func(m *vardev1.Mail) { m.Found = nil }), `found: missing with state arrived, expected it exactly when found`},
		"pending":     {mail(func(m *vardev1.Mail) { m.State = "pending" }), `found: given with state pending, expected it exactly when found`},
		"many":        {findings(&vardev1.Findings{List: make([]*vardev1.Finding, 33)}), `list: 33 findings, expected at most 32`},
		"code":        {findings(&vardev1.Findings{List: []*vardev1.Finding{{Code: "A"}}}), `code: "A", expected a word`},
		"detail": {
			findings(&vardev1.Findings{List: []*vardev1.Finding{{Code: "a", Detail: "\x1b"}}}),
			`detail: "\x1b", expected at most 256 printable characters`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := wire.UnmarshalRecord(encode(t, &vardev1.Record{Kind: &vardev1.Record_Event{Event: c.event}}))
			refused(t, c.want, err)
		})
	}
}

func TestHandshakeRefusals(t *testing.T) {
	certificate := func(spoil func(*vardev1.Certificate)) []*vardev1.Certificate {
		c := &vardev1.Certificate{Subject: "a", Issuer: "b", NotAfter: timestamppb.Now(), KeySha256: make([]byte, 32)}
		spoil(c)
		return []*vardev1.Certificate{c}
	}
	for name, c := range map[string]struct {
		handshake *vardev1.Handshake
		want      string
	}{
		"version": {&vardev1.Handshake{Version: "\n"}, `tls: version: "\n", expected one such as 1.3`},
		"chain":   {&vardev1.Handshake{Chain: make([]*vardev1.Certificate, 6)}, `tls: chain: 6 certificates, expected at most 5`},
		"names": {
			&vardev1.Handshake{Chain: certificate(func(c *vardev1.Certificate) { c.Names = make([]string, 11) })},
			`tls: chain[0]: names: 11, expected at most 10`,
		},
		"issuer": {
			&vardev1.Handshake{Chain: certificate(func(c *vardev1.Certificate) { c.Issuer = "\x1b" })},
			`tls: chain[0]: name: "\x1b", expected at most 96 printable characters`,
		},
		"key": {
			&vardev1.Handshake{Chain: certificate(func(c *vardev1.Certificate) { c.KeySha256 = nil })},
			`tls: chain[0]: key_sha256: 0 bytes, expected 32`,
		},
		"no end": {
			&vardev1.Handshake{Chain: certificate(func(c *vardev1.Certificate) { c.NotAfter = nil })},
			`tls: chain[0]: not_after: missing`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := goodObservation()
			o.Tls = c.handshake
			_, err := wire.UnmarshalRecord(encode(t, &vardev1.Record{Kind: &vardev1.Record_Observation{Observation: o}}))
			refused(t, c.want, err)
		})
	}
}

func TestEntryRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*vardev1.JournalBatch)
		want  string
	}{
		"no probe":    {func(b *vardev1.JournalBatch) { b.Probe = "" }, `batches[0]: probe "" of region "eu-north", expected two ids`},
		"no region":   {func(b *vardev1.JournalBatch) { b.Region = "" }, `batches[0]: probe "osl-1" of region "", expected two ids`},
		"no received": {func(b *vardev1.JournalBatch) { b.Received = nil }, `batches[0]: received: missing`},
		"no batch":    {func(b *vardev1.JournalBatch) { b.Batch = nil }, `batches[0]: epoch: 0 bytes, expected 1 to 64`},
		"clock offset": {
			func(b *vardev1.JournalBatch) { b.ClockOffset = &durationpb.Duration{Seconds: -1e10} },
			`batches[0]: clock_offset: -10000000000 s and 0 ns, expected at most 292 years`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := &vardev1.JournalBatch{
				Probe: "osl-1", Region: "eu-north", Received: timestamppb.Now(),
				Batch: &vardev1.Batch{Epoch: "e", Records: []*vardev1.Record{observed(1)}},
			}
			c.spoil(b)
			_, err := wire.UnmarshalEntry(encode(t, &vardev1.JournalEntry{Batches: []*vardev1.JournalBatch{b}}))
			refused(t, c.want, err)
		})
	}
}

// planKey signs the plans of these tests.
func planKey() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)) }

func sign(b []byte) wire.SignedPlan {
	return wire.SignedPlan{Plan: b, Signature: ed25519.Sign(planKey(), append([]byte("varde plan v1\n"), b...))}
}

func goodPlan() *vardev1.Plan {
	return &vardev1.Plan{
		Generation: 1, Revision: 2, Issued: timestamppb.Now(),
		Regions: []*vardev1.Region{{Id: "eu-north", Name: "Northern Europe"}},
		Roster:  []*vardev1.RosterEntry{{Name: "osl-1", Region: "eu-north", KeySha256: make([]byte, 32)}},
		Checks: []*vardev1.Check{{
			Id: "imap-login", Service: "imap", Kind: "imap", Url: "imaps://mail.example.net",
			Every: durationpb.New(30 * time.Second), Timeout: durationpb.New(10 * time.Second),
		}},
		GossipKeys: [][]byte{make([]byte, 32)}, BundleSha256: map[string][]byte{"osl-2": make([]byte, 32)},
	}
}

func TestPlanRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*vardev1.Plan)
		want  string
	}{
		"no issued":    {func(p *vardev1.Plan) { p.Issued = nil }, `plan: issued: missing`},
		"region":       {func(p *vardev1.Plan) { p.Regions[0].Id = "EU" }, `plan: regions[0]: "EU" is not an id`},
		"roster name":  {func(p *vardev1.Plan) { p.Roster[0].Name = "" }, `plan: roster[0]: "" of "eu-north", expected two ids`},
		"roster key":   {func(p *vardev1.Plan) { p.Roster[0].KeySha256 = nil }, `plan: roster[0]: key_sha256 has 0 bytes, expected 32`},
		"gossip key":   {func(p *vardev1.Plan) { p.GossipKeys[0] = make([]byte, 16) }, `plan: gossip_keys[0]: 16 bytes, expected 32`},
		"bundle":       {func(p *vardev1.Plan) { p.BundleSha256["osl-2"] = nil }, `plan: bundle_sha256["osl-2"]: 0 bytes, expected 32`},
		"empty check":  {func(p *vardev1.Plan) { p.Checks[0] = nil }, `plan: checks[0]: kind: "", expected a word`},
		"no check id":  {func(p *vardev1.Plan) { p.Checks[0].Id = "" }, `plan: checks[0]: id: "", expected 1 to 63 of a-z, 0-9 and -`},
		"no every":     {func(p *vardev1.Plan) { p.Checks[0].Every = nil }, `plan: checks[0]: every: missing`},
		"every":        {func(p *vardev1.Plan) { p.Checks[0].Every = durationpb.New(time.Second) }, `plan: checks[0]: every: 1s, expected 5s to 24h0m0s`},
		"no timeout":   {func(p *vardev1.Plan) { p.Checks[0].Timeout = nil }, `plan: checks[0]: timeout: missing`},
		"check region": {func(p *vardev1.Plan) { p.Checks[0].Regions = []string{""} }, `plan: checks[0]: regions: "" is not an id`},
		"login probe":  {func(p *vardev1.Plan) { p.Checks[0].LoginProbes = []string{""} }, `plan: checks[0]: login_probes: "" is not an id`},
		"family":       {func(p *vardev1.Plan) { p.Checks[0].Families = []vardev1.Family{0} }, `plan: checks[0]: families: 0, expected ipv4 or ipv6`},
		"login": {
			func(p *vardev1.Plan) { p.Checks[0].Login = &vardev1.Login{User: "u"} },
			`plan: checks[0]: login: expected user and password: {file: PATH}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := goodPlan()
			c.spoil(p)
			_, err := sign(encode(t, p)).Open(planKey().Public().(ed25519.PublicKey), "osl-1")
			refused(t, c.want, err)
		})
	}
}

// TestConfirmIsCut: a plan that asks for too many looks is a good plan, and no more are
// asked for than the probe allows.
func TestConfirmIsCut(t *testing.T) {
	for asked, want := range map[*uint32]int{nil: 3, proto.Uint32(0): 0, proto.Uint32(5): 5, proto.Uint32(9): 8, proto.Uint32(1<<32 - 1): 8} {
		p := goodPlan()
		p.Checks[0].Confirm = asked
		got, err := sign(encode(t, p)).Open(planKey().Public().(ed25519.PublicKey), "osl-1")
		if err != nil || got.Checks[0].Others() != want || (got.Checks[0].Confirm == nil) != (asked == nil) {
			t.Errorf("%v: got %d, %v, want %d", asked, got.Checks[0].Others(), err, want)
		}
	}
}

func TestPlanIsBoundToKeyAndBundle(t *testing.T) {
	public := planKey().Public().(ed25519.PublicKey)
	p := goodPlan()
	sum := sha256.Sum256([]byte("sealed"))
	p.BundleSha256 = map[string][]byte{"osl-1": sum[:]}
	good := sign(encode(t, p))
	good.Bundles = map[string][]byte{"osl-1": []byte("sealed")}
	if _, err := good.Open(public, "osl-1"); err != nil {
		t.Fatalf("the plan as signed: %v", err)
	}
	for name, spoil := range map[string]func(*wire.SignedPlan){
		"signature": func(s *wire.SignedPlan) { s.Signature = append([]byte{s.Signature[0] ^ 1}, s.Signature[1:]...) },
		"none":      func(s *wire.SignedPlan) { s.Signature = nil },
		"content":   func(s *wire.SignedPlan) { s.Plan = append(s.Plan[:len(s.Plan):len(s.Plan)], 0) },
		"domain":    func(s *wire.SignedPlan) { s.Signature = ed25519.Sign(planKey(), s.Plan) },
	} {
		bad := good
		spoil(&bad)
		if _, err := bad.Open(public, "osl-1"); !errors.Is(err, wire.ErrPlanSignature) {
			t.Errorf("%s altered: got %v, want ErrPlanSignature", name, err)
		}
	}
	if _, err := good.Open(nil, "osl-1"); !errors.Is(err, wire.ErrPlanSignature) {
		t.Errorf("no key: got %v, want ErrPlanSignature", err)
	}
	if _, err := good.Open(public, "osl-2"); err != nil {
		t.Errorf("a probe that needs no secrets: %v", err)
	}
	for want, bundles := range map[string]map[string][]byte{
		`plan: the sealed secrets that it names for "osl-1" are missing`:     nil,
		`plan: sealed secrets are not those that the plan names for "osl-1"`: {"osl-1": []byte("sealef")},
		`plan: sealed secrets are not those that the plan names for "osl-2"`: {"osl-1": []byte("sealed"), "osl-2": []byte("sealed")},
	} {
		bad := good
		bad.Bundles = bundles
		_, err := bad.Open(public, "osl-1")
		refused(t, want, err)
	}
}

// TestTokenEachCharacterMatters: whatever character is changed, dropped or
// doubled, the token is refused before anything is sent.
func TestTokenEachCharacterMatters(t *testing.T) {
	good := wire.Token{ID: [16]byte{1}, Secret: [16]byte{2}, CASHA256: [32]byte{3}, Coordinators: []string{"c.example.net:7950"}}.String()
	for i := range good {
		other := byte('A')
		if good[i] == other {
			other = 'B'
		}
		for _, bad := range []string{
			good[:i] + string(other) + good[i+1:], good[:i] + good[i+1:], good[:i] + good[i:i+1] + good[i:], good[:i],
		} {
			if _, err := wire.ParseToken(bad); bad != good && !errors.Is(err, wire.ErrToken) {
				t.Errorf("at %d: %q: got %v, want ErrToken", i, bad, err)
			}
		}
	}
}

// withChecksum makes a token string around any message.
func withChecksum(body []byte) string {
	sum := sha256.Sum256(body)
	return "varde1_" + base64.RawURLEncoding.EncodeToString(append(body, sum[:4]...))
}

func TestTokenRefusals(t *testing.T) {
	good := func() *vardev1.JoinToken {
		return &vardev1.JoinToken{Id: make([]byte, 16), Secret: make([]byte, 16), CaSha256: make([]byte, 32), Coordinators: []string{"c:1"}}
	}
	if _, err := wire.ParseToken(withChecksum(encode(t, good()))); err != nil {
		t.Fatalf("good token: %v", err)
	}
	for name, spoil := range map[string]func(*vardev1.JoinToken){
		"id":                func(m *vardev1.JoinToken) { m.Id = make([]byte, 15) },
		"secret":            func(m *vardev1.JoinToken) { m.Secret = nil },
		"ca":                func(m *vardev1.JoinToken) { m.CaSha256 = make([]byte, 33) },
		"no coordinator":    func(m *vardev1.JoinToken) { m.Coordinators = nil },
		"empty coordinator": func(m *vardev1.JoinToken) { m.Coordinators = []string{"c:1", ""} },
	} {
		m := good()
		spoil(m)
		if _, err := wire.ParseToken(withChecksum(encode(t, m))); !errors.Is(err, wire.ErrToken) {
			t.Errorf("%s: got %v, want ErrToken", name, err)
		}
	}
	_, err := wire.ParseToken("eyJhbGciOiJIUzI1NiJ9")
	refused(t, wire.ErrToken.Error()+" (expected it to begin with varde1_)", err)
}

func TestSubjectRefusals(t *testing.T) {
	for _, uri := range []string{
		"", "varde://probe/eu-north", "varde://probe/eu-north/", "varde://probe//osl-1", "varde://probe/eu-north/osl-1/x",
		"varde://probe/eu-north/osl-1?", "varde://probe/eu-north/osl-1#x", "varde://u@probe/eu-north/osl-1",
		"varde://coordinator/eu-north/osl-1", "https://probe/eu-north/osl-1", "varde://probe:1/eu-north/osl-1",
		"varde://probe/eu%2Dnorth/osl-1", "varde://probe/EU/osl-1", "varde:probe/eu-north/osl-1", "varde://probeeu-north/osl-1",
	} {
		u, err := url.Parse(uri)
		if err != nil {
			t.Fatal(err)
		}
		if s, err := wire.SubjectOf(&x509.Certificate{URIs: []*url.URL{u}}); !errors.Is(err, wire.ErrSubject) {
			t.Errorf("%q: got %v, %v, want ErrSubject", uri, s, err)
		}
	}
	one := wire.Subject{Name: "osl-1", Region: "eu-north"}.URI()
	for _, uris := range [][]*url.URL{nil, {one, one}} {
		if _, err := wire.SubjectOf(&x509.Certificate{URIs: uris}); !errors.Is(err, wire.ErrSubject) {
			t.Errorf("%d names: got %v, want ErrSubject", len(uris), err)
		}
	}
}
