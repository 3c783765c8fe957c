package discovery

import (
	"fmt"
	"strings"

	"golang.org/x/net/idna"

	"varde/checks/catalog"
)

// offer is one way in which a service can be offered.
type offer struct {
	// scheme is that of its URL.
	scheme string
	// srv is its name in SRV records (RFC 6186, 8314); empty if it has none.
	srv string
	// mx says that MX records name its hosts.
	mx bool
	// usual are hosts that it often has, the likeliest first; instead says that
	// the next one is asked only if none before it is up.
	usual   []string
	instead bool
}

// service is one row of what is looked for.
type service struct {
	id, name string
	offers   []offer
	// file says that autoconfig can name it.
	file bool
}

// mx is the id of the service that takes mail from strangers.
const mx = "mx"

// services is what is looked for under a domain: all for which there is a kind
// of check.
func services(domain string) []service {
	at := func(names ...string) []string {
		for i, n := range names {
			names[i] = n + domain
		}
		return names
	}
	all := []service{
		{"imap", "IMAP", []offer{
			{scheme: "imaps", srv: "imaps", usual: at("imap.", "mail."), instead: true},
			{scheme: "imap", srv: "imap"},
		}, true},
		{"pop3", "POP3", []offer{
			{scheme: "pop3s", srv: "pop3s", usual: at("pop.", "mail."), instead: true},
			{scheme: "pop3", srv: "pop3"},
		}, true},
		{"smtp", "Outgoing mail", []offer{
			{scheme: "smtps", srv: "submissions", usual: at("smtp.", "mail."), instead: true},
			{scheme: "submission", srv: "submission", usual: at("smtp.", "mail."), instead: true},
		}, true},
		// A domain without MX is its own (RFC 5321 5.1).
		{mx, "Incoming mail", []offer{{scheme: "smtp", mx: true, usual: at("")}}, false},
		{"webmail", "Webmail", []offer{{scheme: "https", usual: at("webmail.")}}, true},
		{"web", "Web", []offer{{scheme: "https", usual: at("", "www.", "mail.")}}, false},
	}
	var known []service
	for _, s := range all {
		var offers []offer
		for _, o := range s.offers {
			if _, err := catalog.FromURL(o.scheme + "://" + domain); err == nil {
				offers = append(offers, o)
			}
		}
		if s.offers = offers; len(offers) > 0 {
			known = append(known, s)
		}
	}
	return known
}

func srvName(service, domain string) string { return "_" + service + "._tcp." + domain }

// ParseDomain reads the name of a domain as a person writes it, and returns it
// in lower case and ASCII. The error says what was got and what is expected.
func ParseDomain(s string) (string, error) {
	ascii, err := idna.Lookup.ToASCII(strings.TrimSuffix(s, "."))
	if err == nil {
		if host, ok := hostname(ascii); ok {
			return host, nil
		}
	}
	return "", fmt.Errorf("got %.80q, expected the name of a domain such as example.net", s)
}

// Limits of names (RFC 1035 2.3.4).
const (
	maxName  = 253
	maxLabel = 63
)

// hostname reads the name of a host that somebody else wrote: letters, digits
// and hyphens in two labels or more, of which the last begins with a letter. An
// address is none, whatever its form, nor is a name of this machine itself.
func hostname(s string) (string, bool) {
	s = strings.ToLower(strings.TrimSuffix(s, "."))
	labels := strings.Split(s, ".")
	last := labels[len(labels)-1]
	if len(s) > maxName || len(labels) < 2 || last == "localhost" {
		return "", false
	}
	for _, l := range labels {
		if l == "" || len(l) > maxLabel || l[0] == '-' || l[len(l)-1] == '-' || strings.ContainsFunc(l, alien) {
			return "", false
		}
	}
	return s, last[0] >= 'a'
}

// alien says that no name of a host has r.
func alien(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' }
