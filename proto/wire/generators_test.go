package wire_test

import (
	"encoding/hex"
	"strings"
	"time"

	"pgregory.net/rapid"

	"varde/checks"
	"varde/proto/wire"
)

// draw is short for a value of one generator.
func draw[T any](t *rapid.T, label string, g *rapid.Generator[T]) T { return g.Draw(t, label) }

func drawID(t *rapid.T, label string) string {
	return draw(t, label, rapid.StringMatching(`[a-z0-9][a-z0-9-]{0,62}`))
}

func drawWord(t *rapid.T, label string) string {
	return draw(t, label, rapid.StringMatching(`[a-z0-9_]{1,32}`))
}

// drawTime is any instant that a message can hold.
func drawTime(t *rapid.T, label string) time.Time {
	const first, last = -62135596800, 253402300799 // years 1 to 9999
	s := draw(t, label, rapid.Int64Range(first, last))
	return time.Unix(s, draw(t, label, rapid.Int64Range(0, 999999999))).UTC()
}

func drawDuration(t *rapid.T, label string, low, high time.Duration) time.Duration {
	return time.Duration(draw(t, label, rapid.Int64Range(int64(low), int64(high))))
}

// drawText is at most n characters that can be printed.
func drawText(t *rapid.T, label string, n int) string {
	return draw(t, label, rapid.StringOfN(rapid.RuneFrom([]rune(`aZ0 .:[]"<&æ漢😀`)), 0, n, -1))
}

func drawFamily(t *rapid.T) checks.Family {
	return draw(t, "family", rapid.SampledFrom([]checks.Family{checks.IPv4, checks.IPv6}))
}

func drawObservation(t *rapid.T, seq uint64) checks.Observation {
	o := checks.Observation{
		Check: drawID(t, "check"), Service: drawID(t, "service"), Family: drawFamily(t), Seq: seq,
		Plan:      draw(t, "plan", rapid.Uint64()),
		Trigger:   draw(t, "trigger", rapid.SampledFrom([]checks.Trigger{checks.Scheduled, checks.Confirm, checks.Manual})),
		Scheduled: drawTime(t, "scheduled"), Started: drawTime(t, "started"),
		Every: drawDuration(t, "every", 0, 24*time.Hour),
		Result: checks.Result{
			Outcome: draw(t, "outcome", rapid.SampledFrom([]checks.Outcome{checks.Unknown, checks.Up, checks.Down})),
			Detail:  drawText(t, "detail", checks.DetailMax), Elapsed: drawDuration(t, "elapsed", 0, 1<<62),
			Address: draw(t, "address", rapid.SampledFrom([]string{"", "192.0.2.1:993", "[2001:db8::1]:25"})),
			TLS:     drawHandshake(t),
		},
	}
	if o.Outcome != checks.Up {
		o.Class = checks.Class(drawWord(t, "class"))
		o.FailedPhase = checks.Phase(drawWord(t, "failed phase"))
	}
	for range draw(t, "phases", rapid.IntRange(0, 16)) {
		o.Phases = append(o.Phases, checks.PhaseTiming{
			Name: checks.Phase(drawWord(t, "phase")), Duration: drawDuration(t, "duration", 0, time.Hour),
		})
	}
	return o
}

// drawRecord is a record that begins at first.
func drawRecord(t *rapid.T, first uint64) wire.Record {
	switch draw(t, "kind", rapid.IntRange(0, 2)) {
	case 0:
		return wire.Record{Observation: drawObservation(t, first)}
	case 1:
		return wire.Record{Event: drawEvent(t, first)}
	}
	return wire.Record{Gap: &wire.Gap{
		First: first, Last: first + draw(t, "dropped", rapid.Uint64Range(0, 1e9)),
		From: drawTime(t, "from"), To: drawTime(t, "to"),
	}}
}

// drawBatch is a batch as ingest hands it to the journal.
func drawBatch(t *rapid.T) wire.Batch {
	b := wire.Batch{
		Epoch:    draw(t, "epoch", rapid.StringMatching(`[a-z0-9-]{1,64}`)),
		Received: drawTime(t, "received"), ClockKnown: draw(t, "clock known", rapid.Bool()),
	}
	if b.ClockKnown {
		b.ClockOffset = drawDuration(t, "clock offset", -1<<62, 1<<62)
	}
	next := draw(t, "first", rapid.Uint64Range(1, 1e12))
	for range draw(t, "records", rapid.IntRange(1, 8)) {
		r := drawRecord(t, next)
		next = r.Last() + 1
		b.Records = append(b.Records, r)
	}
	b.Attribute(drawID(t, "probe"), drawID(t, "region"), drawText(t, "site", 20))
	return b
}

func drawTarget(t *rapid.T) checks.Target {
	every := drawDuration(t, "every", checks.MinEvery, checks.MaxEvery)
	target := checks.Target{
		ID: drawID(t, "id"), Service: drawID(t, "service"), Kind: checks.Kind(drawWord(t, "kind")),
		URL:   "imaps://" + drawID(t, "host") + ".example.net:993/" + strings.ReplaceAll(drawID(t, "path"), "-", "/"),
		Every: every, Timeout: drawDuration(t, "timeout", 0, min(every, checks.MaxTimeout)),
		Families: draw(t, "families", rapid.SampledFrom([][]checks.Family{nil, {checks.IPv4}, {checks.IPv6}, {checks.IPv6, checks.IPv4}})),
		Expect: checks.Expect{
			Mailbox: drawText(t, "mailbox", 20), Newest: draw(t, "newest", rapid.Bool()),
			Status: draw(t, "status", rapid.SampledFrom([]checks.Statuses{"", "204", "2xx, 301-308"})), Body: drawText(t, "body", 20),
			BodyRegexp: drawText(t, "regexp", 20), Banner: drawText(t, "banner", 20),
			Answers: draw(t, "answers", rapid.SampledFrom([][]string{nil, {"192.0.2.1"}, {"10 mx.example.net.", ""}})),
		},
		Consent: draw(t, "consent", rapid.Bool()), WebOptions: drawWeb(t), MailOptions: drawMailOptions(t),
	}
	for range draw(t, "regions", rapid.IntRange(0, 3)) {
		target.Regions = append(target.Regions, drawID(t, "region"))
	}
	for range draw(t, "login probes", rapid.IntRange(0, 3)) {
		target.LoginProbes = append(target.LoginProbes, drawID(t, "login probe"))
	}
	target.Login = drawLogin(t)
	if draw(t, "confirm", rapid.Bool()) {
		target.Confirm = new(checks.Others(draw(t, "others", rapid.IntRange(0, int(checks.MaxOthers)))))
	}
	if draw(t, "ca", rapid.Bool()) {
		target.CA = &checks.Authority{PEM: drawBytes(t, 1, 64)}
	}
	return target
}

func drawLogin(t *rapid.T) *checks.Login {
	if !draw(t, "login", rapid.Bool()) {
		return nil
	}
	return &checks.Login{
		User: drawID(t, "user"), Password: checks.Secret{Name: drawID(t, "secret")},
		Mechanism: draw(t, "mechanism", rapid.SampledFrom(append(checks.Mechanisms(), ""))),
	}
}

func drawWeb(t *rapid.T) checks.WebOptions {
	w := checks.WebOptions{
		Method: drawText(t, "method", 8), HTTP: draw(t, "http", rapid.SampledFrom([]string{"", "1.1", "2"})),
		Headers:   draw(t, "headers", rapid.SampledFrom([]map[string]string{nil, {"Accept": "text/html", "X-A": ""}})),
		Redirects: draw(t, "redirects", rapid.IntRange(0, 10)), MaxBody: draw(t, "max body", rapid.Int64Range(0, 1<<40)),
	}
	if draw(t, "client", rapid.Bool()) {
		w.Client = &checks.ClientCertificate{
			Certificate: checks.Authority{PEM: drawBytes(t, 1, 64)}, Key: checks.Secret{Name: drawID(t, "secret")},
		}
	}
	return w
}

func drawMailOptions(t *rapid.T) checks.MailOptions {
	leg := func(label string) *checks.Leg {
		if !draw(t, label, rapid.Bool()) {
			return nil
		}
		return &checks.Leg{URL: "imaps://" + drawID(t, "host"), Login: drawLogin(t)}
	}
	return checks.MailOptions{
		From: drawText(t, "from", 20), To: drawText(t, "to", 20), Domain: drawText(t, "domain", 20),
		Submit: leg("submit"), Receive: leg("receive"), Route: drawText(t, "route", 20), Late: drawDuration(t, "late", 0, time.Hour),
	}
}

// drawHandshake is what a server may have shown.
func drawHandshake(t *rapid.T) *checks.Handshake {
	if !draw(t, "tls", rapid.Bool()) {
		return nil
	}
	h := &checks.Handshake{Version: draw(t, "version", rapid.SampledFrom([]string{"", "1.2", "1.3"}))}
	for range draw(t, "chain", rapid.IntRange(0, checks.ChainMax)) {
		c := checks.Certificate{
			Subject: drawText(t, "subject", checks.NameMax), Issuer: drawText(t, "issuer", checks.NameMax),
			NotAfter: drawTime(t, "not after"), Key: hex.EncodeToString(drawBytes(t, 32, 32)),
		}
		for range draw(t, "names", rapid.IntRange(0, checks.NamesMax)) {
			c.Names = append(c.Names, drawText(t, "name", checks.NameMax))
		}
		h.Chain = append(h.Chain, c)
	}
	return h
}

// drawEvent is what a probe may know beside its observations.
func drawEvent(t *rapid.T, seq uint64) *wire.Event {
	e := &wire.Event{Seq: seq, At: drawTime(t, "at")}
	if draw(t, "findings", rapid.Bool()) {
		e.Findings = &checks.Findings{Check: drawID(t, "check"), Service: drawID(t, "service")}
		for range draw(t, "list", rapid.IntRange(0, checks.FindingsMax)) {
			e.Findings.List = append(e.Findings.List, checks.Finding{
				Code: drawWord(t, "code"), Detail: drawText(t, "detail", checks.DetailMax),
			})
		}
		return e
	}
	e.Mail = &checks.MailEvent{
		Mail: drawID(t, "mail"), Check: drawID(t, "check"), Service: drawID(t, "service"), Route: "x" + drawText(t, "route", 12),
		Sent: drawTime(t, "sent"), Junk: draw(t, "junk", rapid.Bool()),
		State: draw(t, "state", rapid.SampledFrom([]checks.MailState{
			checks.MailPending, checks.MailArrived, checks.MailLate, checks.MailLost, checks.MailUnknown,
		})),
		SPF: drawWord(t, "spf"), DKIM: drawWord(t, "dkim"), DMARC: drawWord(t, "dmarc"),
	}
	if e.Mail.State == checks.MailArrived || e.Mail.State == checks.MailLate && draw(t, "found", rapid.Bool()) {
		if e.Mail.Found = drawTime(t, "found"); e.Mail.Found.IsZero() { // which is none
			e.Mail.Found = time.Unix(0, 0).UTC()
		}
	}
	return e
}

func drawBytes(t *rapid.T, low, high int) []byte {
	return draw(t, "bytes", rapid.SliceOfN(rapid.Byte(), low, high))
}

func drawSum(t *rapid.T) [32]byte { return [32]byte(drawBytes(t, 32, 32)) }

func drawPlan(t *rapid.T) wire.Plan {
	p := wire.Plan{
		Number: wire.PlanNumber{Generation: draw(t, "generation", rapid.Uint64()), Revision: draw(t, "revision", rapid.Uint64())},
		Issued: drawTime(t, "issued"),
	}
	for range draw(t, "checks", rapid.IntRange(0, 3)) {
		p.Checks = append(p.Checks, drawTarget(t))
	}
	for range draw(t, "regions", rapid.IntRange(0, 3)) {
		p.Regions = append(p.Regions, wire.Region{ID: drawID(t, "region"), Name: drawText(t, "name", 20)})
	}
	for range draw(t, "roster", rapid.IntRange(0, 3)) {
		p.Roster = append(p.Roster, wire.RosterEntry{
			Name: drawID(t, "probe"), Region: drawID(t, "region"), Site: drawText(t, "site", 20),
			ASN: draw(t, "asn", rapid.Uint32()), KeySHA256: drawSum(t), MeshAddress: drawText(t, "mesh", 20), PeerAddress: drawText(t, "peer", 20),
		})
	}
	for range draw(t, "keys", rapid.IntRange(0, 3)) {
		p.GossipKeys = append(p.GossipKeys, drawBytes(t, 32, 32))
		p.Authorities = append(p.Authorities, drawBytes(t, 1, 40))
		p.Coordinators = append(p.Coordinators, drawID(t, "coordinator")+":7950")
		p.Controls = append(p.Controls, "tcp://"+drawID(t, "control")+":443")
	}
	for range draw(t, "bundles", rapid.IntRange(0, 3)) {
		if p.Bundles == nil {
			p.Bundles = map[string][32]byte{}
		}
		p.Bundles[drawID(t, "probe")] = drawSum(t)
	}
	return p
}
