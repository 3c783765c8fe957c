package discovery

import (
	"fmt"
	"slices"
	"strings"
)

// report is what the endpoints say after they were asked.
func (s *search) report(groups [][]*candidate) *Report {
	r := &Report{Domain: s.Domain, Notes: s.notes}
	taken := map[string]bool{}
	for _, x := range s.services {
		found := Service{ID: x.id, Name: x.name}
		for _, g := range groups {
			for _, c := range g {
				if c.service == x.id && c.tried {
					found.Findings = append(found.Findings, c.finding(taken))
				}
			}
		}
		found.Looked, found.Declined = s.looked(x)
		for _, o := range x.offers {
			if len(found.Findings) > 0 && s.settled[o.scheme] == declined {
				r.Notes = append(r.Notes, declined+": "+s.place(o))
			}
		}
		r.Services = append(r.Services, found)
	}
	return r
}

// finding is the candidate under an id that no other has.
func (c *candidate) finding(taken map[string]bool) Finding {
	id := c.target.ID
	for n := 2; taken[c.target.ID]; n++ {
		end := fmt.Sprintf("-%d", n)
		c.target.ID = id[:min(len(id), maxLabel-len(end))] + end
	}
	taken[c.target.ID] = true
	return Finding{
		Target: c.target, Source: strings.Join(c.sources, ", "),
		Outcome: c.outcome, Trouble: strings.Join(c.trouble, "; "),
	}
}

// looked says where a service was looked for, and whether all that was said is
// that it is not offered.
func (s *search) looked(x service) (places []string, refused bool) {
	var names []string
	for _, o := range x.offers {
		settled := s.settled[o.scheme]
		refused = settled == declined && (refused || len(places) == 0)
		if p := s.place(o); p != "" && settled == unasked {
			places = append(places, p+" ("+unasked+")")
		} else if p != "" {
			places = append(places, p)
		}
		if settled == "" && !o.mx {
			names = append(names, o.usual...)
		}
	}
	if x.file && !refused {
		places = append(places, "autoconfig")
	}
	slices.Sort(names)
	return append(places, slices.Compact(names)...), refused
}

// place names what a name server is asked for; empty if it is not.
func (s *search) place(o offer) string {
	switch {
	case o.srv != "":
		return "SRV " + srvName(o.srv, s.Domain)
	case o.mx:
		return "MX " + s.Domain
	}
	return ""
}
