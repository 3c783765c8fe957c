package discovery

import (
	"context"
	"encoding/xml"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// autoconfig is what mail programs read of a domain (Mozilla's "Autoconfig file
// format" 1.1), as far as it names what can be checked.
type autoconfig struct {
	XMLName   xml.Name `xml:"clientConfig"`
	Providers []struct {
		Incoming []server `xml:"incomingServer"`
		Outgoing []server `xml:"outgoingServer"`
	} `xml:"emailProvider"`
	Pages []struct {
		URL string `xml:"url,attr"`
	} `xml:"webMail>loginPage"`
}

// server is one row of it.
type server struct {
	Type     string `xml:"type,attr"`
	Hostname string `xml:"hostname"`
	Port     string `xml:"port"`
	Socket   string `xml:"socketType"`
}

// parseAutoconfig reads a file strictly as XML. Of a document type it takes
// nothing: an entity that XML does not know itself is an error.
func parseAutoconfig(data []byte) (autoconfig, error) {
	var file autoconfig
	if len(data) > documentMax {
		return file, fmt.Errorf("more than %d bytes", documentMax)
	}
	err := xml.Unmarshal(data, &file)
	return file, err
}

// autoconfig asks the two places that the domain itself has for the file, and
// takes the first that has one.
func (s *search) autoconfig(ctx context.Context) announcement {
	places := []string{
		"https://autoconfig." + s.Domain + "/mail/config-v1.1.xml?emailaddress=postmaster%40" + s.Domain,
		"https://" + s.Domain + "/.well-known/autoconfig/mail/config-v1.1.xml",
	}
	said := make([]announcement, len(places))
	var all sync.WaitGroup
	for i, raw := range places {
		all.Go(func() { said[i] = s.read(ctx, raw) })
	}
	all.Wait()
	for _, a := range said {
		if len(a.leads) > 0 {
			return a
		}
	}
	said[0].notes = append(said[0].notes, said[1].notes...)
	return said[0]
}

// read is what one place has.
func (s *search) read(ctx context.Context, raw string) announcement {
	place, _, _ := strings.Cut(raw, "?")
	a := announcement{source: "autoconfig " + place}
	data, err := s.fetch(ctx, raw)
	if err != nil {
		a.notes = append(a.notes, fmt.Sprintf("not read: %s: %v", a.source, err))
		return a
	}
	if data == nil {
		return a
	}
	file, err := parseAutoconfig(data)
	if err != nil {
		a.refuse("%.200s", err) // it has words of the file in it
		return a
	}
	a.file(file, s.Domain)
	return a
}

// file adds what a file names.
func (a *announcement) file(file autoconfig, domain string) {
	var servers []server
	for _, p := range file.Providers {
		servers = slices.Concat(servers, p.Incoming, p.Outgoing)
	}
	for _, x := range servers[:min(len(servers), maxRecords)] {
		a.server(x, domain)
	}
	for _, p := range file.Pages[:min(len(file.Pages), maxRecords)] {
		a.page(p.URL)
	}
}

// server adds a row. One without TLS is refused: nobody should log in there.
func (a *announcement) server(x server, domain string) {
	schemes, known := map[string]map[string]string{
		"imap": {"SSL": "imaps", "STARTTLS": "imap"},
		"pop3": {"SSL": "pop3s", "STARTTLS": "pop3"},
		"smtp": {"SSL": "smtps", "STARTTLS": "submission"},
	}[x.Type]
	if !known {
		return // of a protocol that nothing here speaks
	}
	scheme, known := schemes[strings.TrimSpace(x.Socket)]
	if !known {
		a.refuse("%s with socket type %.20q, expected SSL or STARTTLS", x.Type, x.Socket)
		return
	}
	port, err := strconv.ParseUint(strings.TrimSpace(x.Port), 10, 16)
	if err != nil || port == 0 {
		a.refuse("%s at port %.20q, expected 1 to 65535", x.Type, x.Port)
		return
	}
	host := strings.ReplaceAll(strings.TrimSpace(x.Hostname), "%EMAILDOMAIN%", domain)
	a.name(x.Type, scheme, host, uint16(port))
}

// maxPage bounds the address of a page, in bytes.
const maxPage = 200

// page adds the page at which people log in. A query is refused: nobody knows
// what it would do.
func (a *announcement) page(raw string) {
	u, err := url.Parse(strings.TrimSpace(raw))
	if err != nil || len(raw) > maxPage || u.Scheme != "https" || u.Opaque != "" ||
		u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || u.Port() != "" {
		a.refuse("page %.80q, expected https://host/path", raw)
		return
	}
	host, ok := hostname(u.Host)
	if !ok {
		a.refuse("%.80q is not the name of a host", u.Host)
		return
	}
	a.add("webmail", "https://"+host+u.EscapedPath(), 0)
}
