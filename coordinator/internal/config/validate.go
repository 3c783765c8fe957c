package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"varde/checks"
	"varde/coordinator/internal/page"
)

// Limits of single values.
const (
	minRetention  = time.Hour
	minHours      = 2 * day
	maxRetention  = 100 * year
	minJournal    = 64e6
	maxMinProbes  = 100
	maxText       = 200
	maxAddresses  = 16
	maxWeight     = 1e6
	maxPathLength = 4096
)

// Validate returns every fault of the configuration as *checks.FieldError,
// joined, with the key's path as Field; nil when there is none. Defaults must
// be filled in (WithDefaults). It opens no file.
func (c Config) Validate() error {
	var errs []error
	for _, f := range c.faults() {
		errs = append(errs, f)
	}
	return errors.Join(errs...)
}

// validator collects faults under their paths.
type validator struct {
	found []*checks.FieldError
	// recorded says that nobody will look by this configuration: what it judges has been
	// seen already, and floors do not matter.
	recorded bool
}

func (v *validator) add(path, format string, args ...any) {
	v.found = append(v.found, &checks.FieldError{Field: path, Problem: fmt.Sprintf(format, args...)})
}

func (c Config) faults() []*checks.FieldError { return new(validator).all(c) }

// all returns every fault of a configuration.
func (v *validator) all(c Config) []*checks.FieldError {
	v.id("name", c.Name)
	if c.Data == "" || len(c.Data) > maxPathLength || strings.Contains(c.Data, "\x00") {
		v.add("data", "got %s, expected the path of a folder", quote(c.Data))
	}
	v.listen(c.Listen)
	v.count("advertise", len(c.Advertise), 1, maxAddresses, "address of this coordinator as probes reach it, host:port")
	v.unique("advertise", "", c.Advertise)
	for i, a := range c.Advertise {
		if !reachable(a) {
			v.add(fmt.Sprintf("advertise[%d]", i), "got %s, expected host:port that probes can dial", quote(a))
		}
	}
	v.controls(c.Controls)
	if c.MinProbes < 1 || c.MinProbes > maxMinProbes {
		v.add("min_probes", "got %d, expected 1 to %d", c.MinProbes, maxMinProbes)
	}
	v.retention(c.Retention)
	if c.Reports != MonthlyReports && c.Reports != NoReports {
		v.add("reports", "got %s, expected %s or %s", quote(string(c.Reports)), MonthlyReports, NoReports)
	}
	v.regions(c.Regions)
	v.providers(c)
	v.services(c.Services)
	v.checks(c)
	v.pages(c)
	v.mirrors(c.Mirrors)
	return v.found
}

func (v *validator) controls(controls []string) {
	v.count("controls", len(controls), 0, maxAddresses, "control")
	v.unique("controls", "", controls)
	for i, u := range controls {
		if !control(u) {
			v.add(fmt.Sprintf("controls[%d]", i), "got %s, expected https://host/ or tcp://host:port", quoteURL(u))
		}
	}
}

func (v *validator) listen(l Listen) {
	seen := map[string]string{}
	for _, a := range []struct{ key, address string }{
		{"listen.grpc", l.GRPC}, {"listen.public", l.Public}, {"listen.ops", l.Ops},
	} {
		_, port, err := net.SplitHostPort(a.address)
		if err != nil || !isPort(port, 0) || len(a.address) > maxText {
			v.add(a.key, "got %s, expected host:port or :port", quote(a.address))
			continue
		}
		if other := seen[a.address]; other != "" && port != "0" {
			v.add(a.key, "got %s, expected another address than that of %s", quote(a.address), other)
		}
		seen[a.address] = a.key
	}
}

func (v *validator) retention(r Retention) {
	for _, x := range []struct {
		key string
		d   time.Duration
	}{
		{"journal", r.Journal}, {"evidence", r.Evidence}, {"minutes", r.Minutes}, {"hours", r.Hours}, {"days", r.Days},
	} {
		if x.d < minRetention || x.d > maxRetention {
			v.add("retention."+x.key, "got %s, expected 1h to 100y", short(x.d))
		}
	}
	for _, x := range []struct {
		key, least string
		d, atLeast time.Duration
	}{
		{"hours", "2d: a day is added up from its hours after it has ended", r.Hours, minHours},
		{"hours", "retention.minutes, " + short(r.Minutes), r.Hours, r.Minutes},
		{"days", "retention.hours, " + short(r.Hours), r.Days, r.Hours},
	} {
		if x.d >= minRetention && x.d < x.atLeast {
			v.add("retention."+x.key, "got %s, expected at least %s", short(x.d), x.least)
		}
	}
	if r.JournalMax < minJournal {
		v.add("retention.journal_max", "got %d bytes, expected at least 64MB", r.JournalMax)
	}
}

func (v *validator) regions(regions []Region) {
	v.count("regions", len(regions), 1, MaxRegions, "region")
	v.unique("regions", ".id", collect(regions, func(r Region) string { return r.ID }))
	for i, r := range regions {
		at := fmt.Sprintf("regions[%d]", i)
		v.id(at+".id", r.ID)
		v.text(at+".name", r.Name)
		if !(r.Weight > 0 && r.Weight <= maxWeight) {
			v.add(at+".weight", "got %v, expected above 0 and at most %d", r.Weight, int(maxWeight))
		}
	}
}

func (v *validator) services(services []Service) {
	v.count("services", len(services), 0, MaxServices, "service")
	v.unique("services", ".id", collect(services, func(s Service) string { return s.ID }))
	for i, s := range services {
		at := fmt.Sprintf("services[%d]", i)
		v.id(at+".id", s.ID)
		v.text(at+".name", s.Name)
		v.text(at+".provider", s.Provider)
		v.text(at+".hint.text", s.Hint.Text)
		if !(s.SLO >= 0 && s.SLO < 100) {
			v.add(at+".slo", "got %v, expected percent, above 0 and below 100", s.SLO)
		}
		if s.Hint.URL != "" && !web(s.Hint.URL) {
			v.add(at+".hint.url", "got %s, expected https://host/path", quoteURL(s.Hint.URL))
		}
	}
}

// references finds the names that are not known, and those that come twice.
func (v *validator) references(path, what string, got, known []string) {
	v.unique(path, "", got)
	for i, id := range got {
		if !slices.Contains(known, id) {
			v.add(fmt.Sprintf("%s[%d]", path, i), "got %s, expected the id of a %s%s", quote(id), what, oneOf(known))
		}
	}
}

// oneOf lists what is known when it is short enough to help.
func oneOf(known []string) string {
	if known = distinct(slices.Clone(known)); len(known) == 0 || len(known) > 20 {
		return ""
	}
	return fmt.Sprintf(": one of %q", known)
}

func (v *validator) count(path string, n, least, most int, what string) {
	switch {
	case n < least:
		v.add(path, "got none, expected at least one %s", what)
	case n > most:
		v.add(path, "got %d, expected at most %d", n, most)
	}
}

func (v *validator) unique(path, key string, ids []string) {
	first := map[string]int{}
	for i, id := range ids {
		if j, twice := first[id]; twice && id != "" {
			v.add(fmt.Sprintf("%s[%d]%s", path, i, key), "got %s again, expected it once (%s[%d] has it)", quote(id), path, j)
			continue
		}
		first[id] = i
	}
}

func (v *validator) id(path, id string) {
	if !checks.ValidID(id) {
		v.add(path, "got %s, expected 1 to 63 of a-z, 0-9 and -", quote(id))
	}
}

// text bounds what stands on pages.
func (v *validator) text(path, s string) {
	unprintable := func(r rune) bool { return !strconv.IsPrint(r) }
	if utf8.RuneCountInString(s) > maxText || !utf8.ValidString(s) || strings.ContainsFunc(s, unprintable) {
		v.add(path, "got %s, expected at most %d printable characters", quote(s), maxText)
	}
}

func collect[T, U any](list []T, of func(T) U) []U {
	out := make([]U, len(list))
	for i, x := range list {
		out[i] = of(x)
	}
	return out
}

func isPort(s string, least int) bool {
	n, err := strconv.Atoi(s)
	return err == nil && n >= least && n <= 65535 && s == strconv.Itoa(n)
}

// reachable says whether s is an address that somebody else could dial.
func reachable(s string) bool {
	host, port, err := net.SplitHostPort(s)
	return err == nil && hostname(host) && isPort(port, 1)
}

func hostname(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	if net.ParseIP(s) != nil {
		return !net.ParseIP(s).IsUnspecified()
	}
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '.' && r != '_' {
			return false
		}
	}
	return true
}

// parseURL parses s and refuses what no key of ours takes: a user, a fragment,
// a host that cannot be one.
func parseURL(s string) (*url.URL, bool) {
	u, err := url.Parse(s)
	if err != nil || len(s) > 2000 || u.User != nil || u.Fragment != "" || !hostname(u.Hostname()) {
		return nil, false
	}
	return u, u.Port() == "" || isPort(u.Port(), 1)
}

func web(s string) bool {
	u, ok := parseURL(s)
	return ok && (u.Scheme == "https" || u.Scheme == "http")
}

func control(s string) bool {
	if web(s) {
		return true
	}
	u, ok := parseURL(s)
	return ok && u.Scheme == "tcp" && u.Port() != "" && u.Path == "" && u.RawQuery == ""
}

// site returns the host of a page's URL, as requests are compared with it.
func site(s string) (host string, ok bool) {
	u, parsed := parseURL(s)
	if !parsed || !web(s) || u.RawQuery != "" || u.Path != "" && u.Path != "/" {
		return "", false
	}
	return page.Host(u.Host), true
}
