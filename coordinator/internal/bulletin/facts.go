package bulletin

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"varde/checks"
	"varde/coordinator/internal/incident"
	"varde/coordinator/internal/status"
	"varde/coordinator/internal/verdict"
)

// Facts are what the templates of a [Lexicon] may say: measured, and nothing else.
type Facts struct {
	// Trouble is the clause that says what cannot be done and from where. Services and
	// Regions are names as in a sentence, Many says that it is more than one service,
	// Everywhere that it is every region that looks, Past that it is over.
	Trouble           string
	Services, Regions string
	Many, Everywhere  bool
	Past              bool
	// Also names less grave trouble beside it, empty if there is none.
	Also string
	// Since and Until are its ends, Lasted is for how long; Until is empty while it lasts.
	Since, Until, Lasted string
	// Seen is what most of the failures were; Failing of All probes saw it, both 0 where
	// that is not known.
	Seen         string
	Failing, All int
	// Comes says that it comes and goes.
	Comes bool
	// Sent, Lost, Late and Pending are test mails since it began, Longest is the longest
	// delay of one that arrived, empty if none did. Sent is 0 where there are none.
	Sent, Lost, Late, Pending int
	Longest                   string
	// Why is the reason that a person gave.
	Why string
}

// facts are what there is to say now.
func (r *review) facts() Facts {
	grave, less := r.split()
	past := r.over()
	f := Facts{
		Many: len(names(grave, serviceOf)) > 1, Past: past, Comes: r.comes, Since: r.policy.Lexicon.moment(r.Started),
		Services: r.policy.Lexicon.list(r.servicesOf(grave)), Everywhere: r.everywhere(grave), Seen: r.policy.Lexicon.seen(grave),
	}
	f.Regions = r.policy.Lexicon.list(r.regionsOf(grave))
	if f.Everywhere {
		f.Regions = r.policy.Lexicon.words.Everywhere
	}
	if end, _ := r.healed(); past && !end.IsZero() {
		f.Until, f.Lasted = r.policy.Lexicon.moment(end), lasting(end.Sub(r.Started))
	} else {
		f.Lasted = lasting(r.now.Sub(r.Started))
	}
	if len(less) > 0 {
		f.Also = r.policy.Lexicon.list(r.places(less))
	}
	f.Failing, f.All = incident.Witnesses(grave)
	f.Trouble = r.policy.Lexicon.trouble(kindOf(grave), worst(grave, past), f)
	sums := r.sums(r.b.Services())
	f.Sent, f.Lost, f.Late, f.Pending = sums.Sent, sums.Lost, sums.Late, sums.Pending
	if sums.Arrived > 0 {
		f.Longest = lasting(sums.Longest)
	}
	return f
}

// worst is the gravest state of members: of now, or that they had if it is over.
func worst(members []incident.Member, past bool) (s verdict.State) {
	for _, m := range members {
		if past {
			s = max(s, m.Worst)
		} else {
			s = max(s, m.State)
		}
	}
	return s
}

// split tells the gravest members from those with less grave trouble: of now, or of all
// that was if nothing is ill any more.
func (r *review) split() (grave, less []incident.Member) {
	state := func(m incident.Member) verdict.State { return m.State }
	if worst(r.members, false) <= verdict.Up {
		state = func(m incident.Member) verdict.State { return m.Worst }
	}
	top := verdict.Up
	for _, m := range r.members {
		top = max(top, state(m))
	}
	for _, m := range r.members {
		switch s := state(m); {
		case m.Gone:
		case s == top:
			grave = append(grave, m)
		case s > verdict.Up:
			less = append(less, m)
		}
	}
	if len(grave) == 0 { // all of them have left it
		return r.members, nil
	}
	return grave, less
}

func serviceOf(m incident.Member) string { return m.Service }
func regionOf(m incident.Member) string  { return m.Region }

// names are what of says of members, each once, sorted.
func names(members []incident.Member, of func(incident.Member) string) []string {
	var out []string
	for _, m := range members {
		out = append(out, of(m))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// servicesOf are the names of the services of members, in the order of the page.
func (r *review) servicesOf(members []incident.Member) []string {
	var out []string
	for _, id := range r.policy.Services {
		if slices.Contains(names(members, serviceOf), id) {
			out = append(out, r.serviceName(id)+r.part(members, id))
		}
	}
	return out
}

// part says in brackets which checks or which address family of a service have the trouble,
// where that is not all of it.
func (r *review) part(members []incident.Member, service string) string {
	some, family := r.World.Share(members, service)
	if family != checks.NoFamily {
		some = append(some, family.Name())
	}
	if len(some) == 0 {
		return ""
	}
	return " (" + strings.Join(some, ", ") + ")"
}

// serviceName is the name of a service, its id if it is not configured any more.
func (r *review) serviceName(id string) string {
	i := slices.IndexFunc(r.World.Services, func(s incident.Service) bool { return s.ID == id })
	if i < 0 {
		return id
	}
	return cmp.Or(r.World.Services[i].Name, id)
}

func (r *review) regionName(id string) string {
	i := slices.IndexFunc(r.World.Regions, func(s status.Region) bool { return s.ID == id })
	if i < 0 {
		return id
	}
	return cmp.Or(r.World.Regions[i].Name, id)
}

func (r *review) regionsOf(members []incident.Member) []string {
	ids := names(members, regionOf)
	var out []string
	for _, region := range r.World.Regions {
		if slices.Contains(ids, region.ID) {
			out = append(out, r.regionName(region.ID))
		}
	}
	if len(out) == 0 {
		return ids
	}
	return out
}

// everywhere says that each of several regions has the trouble.
func (r *review) everywhere(members []incident.Member) bool {
	return len(r.World.Regions) > 1 && len(r.regionsOf(members)) == len(r.World.Regions)
}

// places name services with their regions: "SMTP (Oceania)".
func (r *review) places(members []incident.Member) []string {
	var out []string
	for _, id := range r.policy.Services {
		of := slices.DeleteFunc(slices.Clone(members), func(m incident.Member) bool { return m.Service != id })
		if len(of) > 0 {
			out = append(out, r.serviceName(id)+" ("+strings.Join(r.regionsOf(of), ", ")+")")
		}
	}
	return out
}

// seen says what most of the failures of members were, empty where nothing is known.
func (l *Lexicon) seen(members []incident.Member) (best string) {
	count := make(map[string]int)
	for _, m := range members {
		words := l.words.Seen[string(m.Class)]
		if m.Worst == verdict.Slow && m.Class == "" {
			words = l.words.Slow[string(m.Phase)]
		}
		if words != "" {
			count[words]++
		}
	}
	for words, n := range count {
		if n > count[best] || n == count[best] && words < best {
			best = words
		}
	}
	return best
}

// lasting writes a duration in whole units, cut: "3 min", "1 h 5 min". The signs of the
// units are those of the SI and those accepted beside it, which no language changes.
func lasting(d time.Duration) string {
	switch s := int(d / time.Second); {
	case s < 120:
		return fmt.Sprintf("%d s", s)
	case s < 3600:
		return fmt.Sprintf("%d min", s/60)
	case s/60%60 == 0:
		return fmt.Sprintf("%d h", s/3600)
	default:
		return fmt.Sprintf("%d h %d min", s/3600, s/60%60)
	}
}
