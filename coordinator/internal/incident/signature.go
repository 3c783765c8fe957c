package incident

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"varde/checks"
	"varde/coordinator/internal/status"
	"varde/coordinator/internal/verdict"
)

// Sign is one thing that a kind of trouble looks like from outside.
type Sign struct {
	// Name is that of the row of the table, for programs.
	Name string `json:"name"`
	// Words say what was seen and what that looks like. Nothing is proven by it.
	Words string `json:"words"`
	// Basis is what it rests on: series, changes, or how many samples.
	Basis []string `json:"basis"`
}

// row is one row of the table.
type row struct {
	name string
	// find says what was seen, and on what that rests; nothing if it was not.
	find func(*scene) (seen string, basis []string)
	// like is what that looks like.
	like string
}

// Signs says what kind of trouble an incident looks like, by the phases, classes,
// regions and families that failed and what is known beside: one sign for every row of
// the table that fits, in its order.
func Signs(w World, i Incident, f Facts) []Sign {
	s := newScene(w, &i, f)
	out := []Sign{}
	for _, r := range signatures() {
		seen, basis := r.find(s)
		if seen != "" {
			out = append(out, Sign{r.name, strings.ToUpper(seen[:1]) + seen[1:] + ": looks like " + r.like + ".", basis})
		}
	}
	return out
}

// signatures is the table: what probes saw in the attacks on mail providers of 2021,
// in other outages, and what the protocols say of such a case.
func signatures() []row {
	return []row{
		{"names", (*scene).names, "trouble of whoever serves the names, not of the mail servers"},
		{"everywhere", (*scene).everywhere, "saturated lines, a null route, or a protection that is down as a whole"},
		{"somewhere", (*scene).somewhere, "filtering by region, one site of a protection, or a broken path"},
		{"retransmits", (*scene).retransmits, "lost packets (the first one is sent again after 1, 3 and 7 s), not a dead server"},
		{"refused", (*scene).refused, "a program that is not running, or a filter that answers for it"},
		{"unreachable", (*scene).unreachable, "a null route, or a filter that says so"},
		{"proxy", (*scene).proxy, "a protection that accepts connects for a server which it does not reach"},
		{"handshake", (*scene).handshake, "a server without computing time to spare, or large packets that are lost on a detour"},
		{"moved", (*scene).moved, "a move behind a protection, or to other servers"},
		{"overload", (*scene).overload, "an overloaded server"},
		{"logins", (*scene).logins, "trouble of the authentication back end"},
		{"wall", (*scene).wall, "a wall that browsers may pass and mail programs may not"},
		{"family", (*scene).family, "a family that the protection or the routing leaves out"},
		{"detour", (*scene).detour, "traffic that is led another way, as through a protection"},
		{"ours", (*scene).ours, "trouble of our own there, which says nothing of the service"},
	}
}

// The least that a sign rests on, where it rests on samples: a few may be chance.
const (
	fewest = 3
	most   = 0.5 // of those that could show it
)

// stillAnswer is what probes note when a name is not resolved and the address known
// before answers.
const stillAnswer = "addresses still answer"

func (s *scene) names() (string, []string) {
	failing := s.with(checks.DNSTimeout, checks.DNSError)
	answered := s.pick(func(o checks.Observation) bool { return strings.Contains(o.Detail, stillAnswer) })
	if len(failing) == 0 || len(answered) == 0 {
		return "", nil
	}
	return "the names of " + s.who(failing) + " are not resolved from " + s.where(failing) + ", while the addresses known before answer",
		append(basis(failing), samples(answered))
}

func (s *scene) everywhere() (string, []string) {
	failing := s.with(checks.ConnectTimeout)
	if len(sorted(failing, regionOf)) < 2 || len(s.well(failing)) > 0 {
		return "", nil
	}
	return "TCP connects to " + s.who(failing) + " time out from " + s.where(failing) + ", and work from no region that was measured" + s.beside(failing), basis(failing)
}

func (s *scene) somewhere() (string, []string) {
	failing := s.with(checks.ConnectTimeout)
	well := s.well(failing)
	if len(failing) == 0 || len(well) == 0 {
		return "", nil
	}
	return "TCP connects to " + s.who(failing) + " time out from " + s.where(failing) + " and work from " +
		list(named(well, s.regionName)) + s.beside(failing), basis(failing)
}

// sentAgain says whether a connect took as long as one whose first packet was lost
// once, twice or three times: 1, 3 or 7 s (RFC 6298 section 2) and a way there and back.
func sentAgain(took time.Duration) bool {
	const way = 300 * time.Millisecond
	return slices.ContainsFunc([]time.Duration{time.Second, 3 * time.Second, 7 * time.Second}, func(q time.Duration) bool {
		return took >= q && took <= q+way
	})
}

func (s *scene) retransmits() (string, []string) {
	again := s.pick(func(o checks.Observation) bool {
		took, ok := connect(o)
		return ok && sentAgain(took)
	})
	between := s.pick(func(o checks.Observation) bool {
		took, ok := connect(o)
		return ok && took > 700*time.Millisecond && !sentAgain(took)
	})
	if len(again) < fewest || len(between) >= len(again) {
		return "", nil
	}
	return "TCP connects that took long took 1, 3 or 7 s, and hardly any a time between", []string{samples(again)}
}

func (s *scene) refused() (string, []string) {
	failing := s.with(checks.ConnectRefused, checks.ConnectReset)
	if len(failing) == 0 {
		return "", nil
	}
	return "TCP connects to " + s.who(failing) + " are answered with a refusal from " + s.where(failing), basis(failing)
}

func (s *scene) unreachable() (string, []string) {
	failing := s.with(checks.Unreachable)
	if len(failing) == 0 {
		return "", nil
	}
	return "routers on the way to " + s.who(failing) + " say that there is none, from " + s.where(failing), basis(failing)
}

// silent says whether a run ended in silence, or was cut, after its connect.
func silent(o checks.Observation) bool {
	return slices.Contains([]checks.Class{checks.TLSTimeout, checks.GreetingTimeout, checks.CommandTimeout, checks.Closed}, o.Class)
}

// proxied are the samples in which somebody nearer than the server took the connect,
// and nobody spoke.
func (s *scene) proxied() []checks.Observation {
	known := s.pick(func(o checks.Observation) bool {
		_, ok := connect(o)
		return ok && silent(o) && s.usualConnect(o) >= 10*time.Millisecond
	})
	fast := only(known, func(o checks.Observation) bool {
		took, _ := connect(o)
		return took < s.usualConnect(o)/2
	})
	if len(fast) < fewest || float64(len(fast)) < most*float64(len(known)) {
		return nil
	}
	return fast
}

func (s *scene) proxy() (string, []string) {
	fast := s.proxied()
	if len(fast) == 0 {
		return "", nil
	}
	return "TCP connects come about in less than half of the usual time, and then nobody speaks", []string{samples(fast)}
}

func (s *scene) handshake() (string, []string) {
	failing := s.with(checks.TLSTimeout)
	if len(failing) == 0 || len(s.proxied()) > 0 {
		return "", nil
	}
	return "TCP connects to " + s.who(failing) + " come about and the TLS handshake gets no answer, from " + s.where(failing), basis(failing)
}

func (s *scene) moved() (string, []string) {
	if len(s.shifts) == 0 {
		return "", nil
	}
	var on []string
	for _, x := range s.shifts {
		on = append(on, fmt.Sprintf("%s: %s of %s in %s was %q and is %q", clock(x.At), x.What, x.Check, x.Region, x.From, x.To))
	}
	what := sorted(s.shifts, func(x Shift) string {
		return map[string]string{"address": "the address", "issuer": "the issuer of the certificate", "key": "the key of the certificate"}[x.What]
	})
	services := named(sorted(s.shifts, func(x Shift) string { return s.service(x.Check) }), s.serviceName)
	return list(what) + " of " + list(services) + " changed", on
}

func (s *scene) overload() (string, []string) {
	failing := s.with(checks.GreetingTimeout, checks.Busy)
	if len(failing) == 0 || len(s.proxied()) > 0 {
		return "", nil
	}
	words := list(sorted(failing, func(m Member) string { return fails(m.Class) }))
	return words + ", of " + s.who(failing) + " from " + s.where(failing), basis(failing)
}

func (s *scene) logins() (string, []string) {
	failing := only(s.incident.Members, func(m Member) bool { return m.Group == Login })
	shallow := slices.ContainsFunc(failing, func(f Member) bool {
		return s.incident.some(func(m *Member) bool {
			return m.Service == f.Service && (slices.Contains(m.groups(), Reach) || slices.Contains(m.groups(), Names))
		}) ||
			slices.ContainsFunc(s.readings, func(r Reading) bool {
				return bad(r.State) && r.Region == f.Region && s.service(r.Check) == f.Service && s.checks[r.Check].Depth < status.Login
			})
	})
	if len(failing) == 0 || shallow {
		return "", nil
	}
	return "logins to " + s.who(failing) + " fail or take long from " + s.where(failing) + ", and everything before them works", basis(failing)
}

func (s *scene) wall() (string, []string) {
	failing := s.pick(func(o checks.Observation) bool {
		return s.checks[o.Check].Kind == checks.HTTPS && (o.Class == checks.HTTPStatus || o.Class == checks.Policy)
	})
	walled := only(failing, func(o checks.Observation) bool { return slices.Contains([]int{403, 429, 503}, code(o)) })
	if len(walled) < fewest || float64(len(walled)) < most*float64(len(failing)) {
		return "", nil
	}
	codes := sorted(walled, func(o checks.Observation) string { return o.Detail[:3] })
	services := named(sorted(walled, func(o checks.Observation) string { return s.service(o.Check) }), s.serviceName)
	return list(services) + " answer" + ending(services) + " with the HTTP status " + list(codes), []string{samples(walled)}
}

func (s *scene) family() (string, []string) {
	hit := families(s.incident.Members, familyOf)
	if len(hit) != 1 {
		return "", nil
	}
	other := only(s.readings, func(r Reading) bool {
		return r.Family != hit[0] && slices.ContainsFunc(s.incident.Members, func(m Member) bool { return m.Check == r.Check && m.Region == r.Region })
	})
	up := only(other, func(r Reading) bool { return r.State == verdict.Up })
	if len(up) == 0 || slices.ContainsFunc(other, func(r Reading) bool { return bad(r.State) }) {
		return "", nil
	}
	return s.who(s.incident.Members) + " fail" + ending(s.incident.Services()) + " over " + hit[0].Name() + " alone; over " +
		up[0].Family.Name() + " the same checks are well", basis(s.incident.Members)
}

func (s *scene) detour() (string, []string) {
	known := s.pick(func(o checks.Observation) bool {
		took, ok := connect(o)
		return ok && s.usualConnect(o) > 0 && took < 700*time.Millisecond
	})
	long := only(known, func(o checks.Observation) bool {
		took, _ := connect(o)
		usual := s.usualConnect(o)
		return took > usual+usual/2 && took > usual+20*time.Millisecond
	})
	if len(long) < fewest || float64(len(long)) < most*float64(len(known)) {
		return "", nil
	}
	regions := sorted(long, func(o checks.Observation) string { return o.Region })
	return "TCP connects from " + list(named(regions, s.regionName)) + " come about, and take half as long again as usual or more", []string{samples(long)}
}

func (s *scene) ours() (string, []string) {
	byProbe := make(map[string]int)
	failing := make(map[string]int)
	for _, o := range s.samples {
		byProbe[o.Probe]++
		if o.Class == checks.OwnNetwork {
			failing[o.Probe]++
		}
	}
	var probes, on []string
	for _, name := range sorted(s.samples, func(o checks.Observation) string { return o.Probe }) {
		if n := failing[name]; n >= fewest && float64(n) >= most*float64(byProbe[name]) {
			probes = append(probes, name)
			on = append(on, fmt.Sprintf("%s: %d of %d samples", name, n, byProbe[name]))
		}
	}
	if len(probes) == 0 {
		return "", nil
	}
	return "the control targets of " + list(probes) + " failed too", on
}

// basis are series with their classes.
func basis(members []Member) []string {
	out := make([]string, len(members))
	for k, m := range members {
		out[k] = strings.TrimSpace(m.String() + " " + string(m.Class))
	}
	return out
}

func samples(list []checks.Observation) string {
	if len(list) == 1 {
		return "1 sample"
	}
	return fmt.Sprintf("%d samples", len(list))
}
