package evidence

import (
	"net/url"

	"varde/checks"
)

// asked is a check as it is told to others. What is not named here stays with us:
// logins, headers, keys, and what follows the path of an address, which can be a
// secret of the operator's.
type asked struct {
	ID       string          `json:"id"`
	Service  string          `json:"service"`
	Kind     checks.Kind     `json:"kind"`
	URL      string          `json:"url,omitempty"`
	Submit   string          `json:"submit,omitempty"`
	Receive  string          `json:"receive,omitempty"`
	Route    string          `json:"route,omitempty"`
	LogsIn   bool            `json:"logs_in"`
	EveryS   float64         `json:"every_s"`
	TimeoutS float64         `json:"timeout_s"`
	LateS    float64         `json:"late_s,omitempty"`
	Families []checks.Family `json:"families,omitempty"`
	Regions  []string        `json:"regions,omitempty"`
	Domain   string          `json:"domain,omitempty"`
	Mailbox  string          `json:"mailbox,omitempty"`
	Status   checks.Statuses `json:"status,omitempty"`
}

func askedOf(t checks.Target) asked {
	t = t.WithDefaults()
	out := asked{
		ID: t.ID, Service: t.Service, Kind: t.Kind, URL: place(t.URL, t.Kind), Route: t.Route,
		EveryS: t.Every.Seconds(), TimeoutS: t.Timeout.Seconds(), LateS: t.Late.Seconds(),
		Families: t.Families, Regions: t.Regions, Domain: t.Domain, Mailbox: t.Expect.Mailbox, Status: t.Expect.Status,
	}
	for range t.Logins() {
		out.LogsIn = true
	}
	if t.Submit != nil {
		out.Submit = place(t.Submit.URL, t.Kind)
	}
	if t.Receive != nil {
		out.Receive = place(t.Receive.URL, t.Kind)
	}
	return out
}

// place is where an address leads, without what can be secret in it.
func place(address string, kind checks.Kind) string {
	u, err := url.Parse(address)
	if err != nil || address == "" {
		return ""
	}
	out := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, Opaque: u.Opaque}
	if kind == checks.DNS { // there it is the question
		out.RawQuery = u.RawQuery
	}
	return out.String()
}
