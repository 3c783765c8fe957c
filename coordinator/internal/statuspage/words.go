package statuspage

import (
	"cmp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"varde/coordinator/internal/graph"
	"varde/coordinator/internal/status"
)

// trouble is one finding: these services, in these regions, in this state. A
// finding of graph.Unknown is what is not measured.
type trouble struct {
	showing
	services []Service
	regions  []Region
	// since is when the first of them began; zero if that is not known.
	since time.Time
	// everything and everywhere say that no service and no region is left out.
	everything, everywhere bool
}

// showing is what one service shows in one region.
type showing struct {
	mark graph.Mark
	// part says that only a part of the service is not measured; the rest works.
	part bool
	// late says of what is slow that it is mail that arrives late.
	late bool
	// scope is how much of the service it is about.
	scope status.Scope
}

// word is what a cell and a badge say.
func (s showing) word() string {
	if s.late {
		return "Late"
	}
	return s.mark.Public()
}

// weight orders what is shown: a gap in a part weighs less than one in all.
func (s showing) weight() int {
	if s.part {
		return 2*int(s.mark) - 1
	}
	return 2 * int(s.mark)
}

// findings are the troubles of a scene and what is not measured, the worst and
// widest first. Services with the same state in the same regions are one.
func (s scene) findings() []trouble {
	var out []trouble
	for _, service := range s.services {
		for shown, regions := range s.byShowing(service) {
			if shown.mark == graph.Up {
				continue
			}
			i := slices.IndexFunc(out, func(t trouble) bool {
				return t.showing == shown && slices.EqualFunc(t.regions, regions, func(a, b Region) bool { return a.ID == b.ID })
			})
			if i < 0 {
				out = append(out, trouble{showing: shown, regions: regions, everywhere: len(regions) == len(s.regions)})
				i = len(out) - 1
			}
			out[i].add(service)
		}
	}
	for i := range out {
		out[i].everything = s.nothingElse(out[i])
	}
	slices.SortStableFunc(out, func(a, b trouble) int {
		return cmp.Or(cmp.Compare(b.weight(), a.weight()), cmp.Compare(b.width(), a.width()), s.order(a)-s.order(b))
	})
	return out
}

// nothingElse says that the regions of a finding check no service that is not
// in it.
func (s scene) nothingElse(t trouble) bool {
	for _, service := range s.services {
		if slices.ContainsFunc(t.services, func(x Service) bool { return x.ID == service.ID }) {
			continue
		}
		if slices.ContainsFunc(t.regions, func(r Region) bool { _, ok := service.reading(r.ID); return ok }) {
			return false
		}
	}
	return true
}

// byShowing sorts the regions of a service by what they show. A service that
// no region checks is measured nowhere.
func (s scene) byShowing(service Service) map[showing][]Region {
	out := make(map[showing][]Region)
	if len(service.Readings) == 0 {
		out[showing{mark: graph.Unknown}] = s.regions
	}
	for _, region := range s.regions {
		if r, ok := service.reading(region.ID); ok {
			out[r.showing()] = append(out[r.showing()], region)
		}
	}
	return out
}

func (t *trouble) add(service Service) {
	t.services = append(t.services, service)
	for _, region := range t.regions {
		r, _ := service.reading(region.ID)
		if !r.Since.IsZero() && (t.since.IsZero() || r.Since.Before(t.since)) {
			t.since = r.Since.UTC()
		}
	}
}

// width is how many cells of the matrix the finding covers.
func (t trouble) width() int { return len(t.services) * len(t.regions) }

// order is the place of the first service of a finding.
func (s scene) order(t trouble) int {
	return slices.IndexFunc(s.services, func(x Service) bool { return x.ID == t.services[0].ID })
}

// sentence says what cannot be done, and from where.
func (t trouble) sentence() string {
	who := capital(t.who())
	many := len(t.services) > 1
	switch t.mark {
	case graph.Down:
		switch {
		case t.everything && many && t.scope == status.Scope{}:
			return "No service can be reached " + t.from("any region") + "."
		case t.scope.Extent == status.Logins || t.scope.Extent == status.Deliveries:
			return who + " fails " + t.in() + "."
		}
		return who + " cannot be reached" + t.over() + " " + t.from("any region") + "."
	case graph.Intermittent:
		return who + verb(many && !t.acts(), " fails", " fail") + " at times" + t.over() + " " + t.in() + "."
	case graph.Slow:
		if t.late {
			return "Mail arrives late " + t.in() + ": " + graph.List(serviceNames(t.services)) + "."
		}
		return who + verb(many && !t.acts(), " is", " are") + " slow" + t.over() + " " + t.in() + "."
	case graph.Maintenance:
		return who + verb(many, " is", " are") + " under maintenance " + t.in() + "."
	}
	switch {
	case t.part:
		who = "a part of " + graph.List(serviceNames(t.services))
	case t.everything && many:
		who = "everything"
	}
	return "Not measured: " + who + " " + t.from("every region") + "."
}

// who is what the sentence is about: services, a part of them, or what people do
// with them.
func (t trouble) who() string {
	names := graph.List(serviceNames(t.services))
	switch t.scope.Extent {
	case status.Logins:
		return "logging in to " + names
	case status.Deliveries:
		return "delivery of mail by " + names
	case status.Some:
		return "a part of " + names
	}
	return names
}

// acts says whether the subject is one thing, however many services it names.
func (t trouble) acts() bool {
	return t.scope.Extent != status.Whole && t.scope.Extent != status.OneFamily
}

// over names the address family, where the other one is better off.
func (t trouble) over() string {
	if t.scope.Extent == status.OneFamily {
		return " " + scopeWords(t.scope)
	}
	return ""
}

// scopeWords are what a cell says of the part that has trouble; nothing if it is
// the whole service.
func scopeWords(s status.Scope) string {
	switch s.Extent {
	case status.OneFamily:
		return "over " + s.Family.Name()
	case status.Logins:
		return "logging in"
	case status.Deliveries:
		return "delivery of mail"
	case status.Some:
		return "a part of it"
	}
	return ""
}

func verb(many bool, one, more string) string {
	if many {
		return more
	}
	return one
}

func (t trouble) from(all string) string {
	if t.everywhere && len(t.regions) > 1 {
		return "from " + all
	}
	return "from " + graph.List(regionNames(t.regions))
}

func (t trouble) in() string {
	if t.everywhere && len(t.regions) > 1 {
		return "everywhere"
	}
	return "in " + graph.List(regionNames(t.regions))
}

// headline is what the page says first and second.
type headline struct {
	// First is the headline, Rest the line below it.
	First, Rest string
	// Since is when the trouble of the headline began; zero if there is none.
	Since time.Time
}

// headline says what cannot be done, then what works. It never says more than
// was measured.
func (s scene) headline() headline {
	found := s.findings()
	bad := slices.DeleteFunc(slices.Clone(found), func(t trouble) bool { return t.mark == graph.Unknown })
	unknown := found[len(bad):]
	if len(bad) == 0 {
		return s.calm(unknown)
	}
	rest := make([]string, 0, len(found))
	for _, t := range found[1:] {
		rest = append(rest, t.sentence())
	}
	if works := s.elsewhere(bad[0]); len(s.services) == 1 && works != "" {
		rest = append(rest, works)
	} else if s.anyUp() {
		rest = append(rest, "Everything else works.")
	}
	return headline{First: bad[0].sentence(), Rest: strings.Join(rest, " "), Since: bad[0].since}
}

// calm is the headline while nothing is known to be wrong.
func (s scene) calm(unknown []trouble) headline {
	if !s.anyUp() {
		h := headline{First: "Nothing is measured now.", Rest: "There is no current observation, so this page claims nothing."}
		if newest := s.newest(); newest.IsZero() {
			h.First = "Nothing is measured yet."
		} else {
			h.Rest += " The newest one is of " + moment(newest, s.at) + "."
		}
		return h
	}
	if len(unknown) == 0 {
		return headline{First: "Everything works.", Rest: s.reach()}
	}
	rest := make([]string, 0, len(unknown))
	for _, t := range unknown {
		rest = append(rest, t.sentence())
	}
	return headline{First: "Everything that we measure works.", Rest: strings.Join(rest, " ")}
}

// reach says what "everything" is.
func (s scene) reach() string {
	who := s.services[0].Name
	switch n := len(s.services); {
	case n == 2:
		who = "Both services"
	case n > 2:
		who = "All " + number(n) + " services"
	}
	where := "from every region that we measure."
	if len(s.regions) == 1 {
		where = "from " + s.regions[0].Name + "."
	}
	return who + " can be reached " + where
}

func (s scene) anyUp() bool {
	for _, service := range s.services {
		for _, r := range service.Readings {
			if r.mark() == graph.Up {
				return true
			}
		}
	}
	return false
}

// serviceNames are the names of services inside a sentence.
func serviceNames(services []Service) []string {
	out := make([]string, len(services))
	for i, s := range services {
		out[i] = inSentence(s.Name)
	}
	return out
}

func regionNames(regions []Region) []string {
	out := make([]string, len(regions))
	for i, r := range regions {
		out[i] = r.Name
	}
	return out
}

// inSentence writes "Outgoing mail" as "outgoing mail": a name of several
// words of which only the first has a capital is no proper name. Others stay
// as the operator wrote them.
func inSentence(name string) string {
	first, rest, several := strings.Cut(name, " ")
	if !several || strings.ContainsFunc(rest, unicode.IsUpper) {
		return name
	}
	r, size := utf8.DecodeRuneInString(first)
	if strings.ContainsFunc(first[size:], unicode.IsUpper) {
		return name
	}
	return string(unicode.ToLower(r)) + name[size:]
}

// capital begins a sentence.
func capital(s string) string {
	r, size := utf8.DecodeRuneInString(s)
	if size == 0 || r == utf8.RuneError {
		return s
	}
	return string(unicode.ToUpper(r)) + s[size:]
}

// number writes small numbers in words.
func number(n int) string {
	words := []string{"no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"}
	if n < len(words) {
		return words[n]
	}
	return graph.Thousands(n)
}

// moment writes a time as it is said at another: "07:42 UTC", or with its date
// if that is not the same.
func moment(t, at time.Time) string {
	t, at = t.UTC(), at.UTC()
	switch {
	case t.YearDay() == at.YearDay() && t.Year() == at.Year():
		return t.Format("15:04") + " UTC"
	case t.Year() == at.Year():
		return t.Format("2 Jan, 15:04") + " UTC"
	}
	return t.Format("2 Jan 2006, 15:04") + " UTC"
}

// clock is moment without its zone, for narrow places.
func clock(t, at time.Time) string { return strings.TrimSuffix(moment(t, at), " UTC") }
