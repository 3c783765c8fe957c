package wire

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"varde/checks"
	vardev1 "varde/proto/varde/v1"
)

func targetToProto(t checks.Target) *vardev1.Check {
	m := &vardev1.Check{
		Id: t.ID, Service: t.Service, Kind: string(t.Kind), Url: t.URL, Consent: t.Consent,
		Every: durationpb.New(t.Every), Timeout: durationpb.New(t.Timeout), Regions: t.Regions, LoginProbes: t.LoginProbes,
		Login: loginToProto(t.Login), Expect: expectToProto(t.Expect),
		Web: webToProto(t.WebOptions), Mail: mailOptionsToProto(t.MailOptions),
	}
	if t.CA != nil {
		m.CaPem = t.CA.PEM
	}
	if t.Confirm != nil {
		m.Confirm = proto.Uint32(uint32(t.Others()))
	}
	for _, f := range t.Families {
		m.Families = append(m.Families, vardev1.Family(f))
	}
	return m
}

func targetFromProto(m *vardev1.Check) (checks.Target, error) {
	t := checks.Target{
		ID: m.GetId(), Service: m.GetService(), Kind: checks.Kind(m.GetKind()), URL: m.GetUrl(), Regions: m.GetRegions(),
		Login: loginFromProto(m.GetLogin()), Expect: expectFromProto(m.GetExpect()), Consent: m.GetConsent(),
		WebOptions: webFromProto(m.GetWeb()), LoginProbes: m.GetLoginProbes(),
	}
	if !word(m.GetKind()) {
		return t, fmt.Errorf("kind: %q, expected a word", m.GetKind())
	}
	for _, r := range t.Regions {
		if !checks.ValidID(r) {
			return t, fmt.Errorf("regions: %q is not an id", r)
		}
	}
	for _, p := range t.LoginProbes {
		if !checks.ValidID(p) {
			return t, fmt.Errorf("login_probes: %q is not an id", p)
		}
	}
	var err error
	if t.Every, err = durationFromProto("every", m.GetEvery()); err != nil {
		return t, err
	}
	if t.Timeout, err = durationFromProto("timeout", m.GetTimeout()); err != nil {
		return t, err
	}
	if t.MailOptions, err = mailOptionsFromProto(m.GetMail()); err != nil {
		return t, err
	}
	if len(m.GetCaPem()) > 0 {
		t.CA = &checks.Authority{PEM: m.GetCaPem()}
	}
	if m.Confirm != nil { // more than is allowed is cut, and no reason to work by an old plan
		t.Confirm = new(checks.Others(min(m.GetConfirm(), uint32(checks.MaxOthers))))
	}
	for _, f := range m.GetFamilies() {
		if f != vardev1.Family_FAMILY_IPV4 && f != vardev1.Family_FAMILY_IPV6 {
			return t, fmt.Errorf("families: %d, expected ipv4 or ipv6", f)
		}
		t.Families = append(t.Families, checks.Family(f))
	}
	return t, t.Validate()
}

func loginToProto(l *checks.Login) *vardev1.Login {
	if l == nil {
		return nil
	}
	return &vardev1.Login{User: l.User, Secret: l.Password.Name, Mechanism: string(l.Mechanism)}
}

func loginFromProto(m *vardev1.Login) *checks.Login {
	if m == nil {
		return nil
	}
	return &checks.Login{
		User: m.GetUser(), Password: checks.Secret{Name: m.GetSecret()}, Mechanism: checks.Mechanism(m.GetMechanism()),
	}
}

func expectToProto(e checks.Expect) *vardev1.Expect {
	return absent(&vardev1.Expect{
		Mailbox: e.Mailbox, Newest: e.Newest, Status: string(e.Status), Body: e.Body,
		BodyRegexp: e.BodyRegexp, Banner: e.Banner, Answers: e.Answers,
	})
}

func expectFromProto(m *vardev1.Expect) checks.Expect {
	return checks.Expect{
		Mailbox: m.GetMailbox(), Newest: m.GetNewest(), Status: checks.Statuses(m.GetStatus()), Body: m.GetBody(),
		BodyRegexp: m.GetBodyRegexp(), Banner: m.GetBanner(), Answers: m.GetAnswers(),
	}
}

func webToProto(w checks.WebOptions) *vardev1.Web {
	m := &vardev1.Web{
		Method: w.Method, Headers: w.Headers, Http: w.HTTP, Redirects: int32(w.Redirects), MaxBody: w.MaxBody,
	}
	if c := w.Client; c != nil {
		m.Client = &vardev1.ClientCertificate{CertificatePem: c.Certificate.PEM, Secret: c.Key.Name}
	}
	return absent(m)
}

func webFromProto(m *vardev1.Web) checks.WebOptions {
	w := checks.WebOptions{
		Method: m.GetMethod(), Headers: m.GetHeaders(), HTTP: m.GetHttp(),
		Redirects: int(m.GetRedirects()), MaxBody: m.GetMaxBody(),
	}
	if c := m.GetClient(); c != nil {
		w.Client = &checks.ClientCertificate{
			Certificate: checks.Authority{PEM: c.GetCertificatePem()}, Key: checks.Secret{Name: c.GetSecret()},
		}
	}
	return w
}

func mailOptionsToProto(o checks.MailOptions) *vardev1.MailOptions {
	m := &vardev1.MailOptions{
		From: o.From, To: o.To, Domain: o.Domain, Route: o.Route,
		Submit: legToProto(o.Submit), Receive: legToProto(o.Receive),
	}
	if o.Late != 0 {
		m.Late = durationpb.New(o.Late)
	}
	return absent(m)
}

func mailOptionsFromProto(m *vardev1.MailOptions) (checks.MailOptions, error) {
	o := checks.MailOptions{
		From: m.GetFrom(), To: m.GetTo(), Domain: m.GetDomain(), Route: m.GetRoute(),
		Submit: legFromProto(m.GetSubmit()), Receive: legFromProto(m.GetReceive()),
	}
	if m.GetLate() == nil {
		return o, nil
	}
	var err error
	var late time.Duration
	if late, err = durationFromProto("late", m.GetLate()); err == nil {
		o.Late = late
	}
	return o, err
}

func legToProto(l *checks.Leg) *vardev1.Leg {
	if l == nil {
		return nil
	}
	return &vardev1.Leg{Url: l.URL, Login: loginToProto(l.Login)}
}

func legFromProto(m *vardev1.Leg) *checks.Leg {
	if m == nil {
		return nil
	}
	return &checks.Leg{URL: m.GetUrl(), Login: loginFromProto(m.GetLogin())}
}

// absent leaves a message out that says nothing: most checks need none of them.
func absent[M interface {
	proto.Message
	comparable
}](m M) M {
	if proto.Size(m) == 0 {
		var none M
		return none
	}
	return m
}
