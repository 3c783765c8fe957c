package recording

import (
	"fmt"

	"varde/coordinator/internal/config"
)

// Names are the services, regions and checks that a configuration knows: an
// observation may name no other.
type Names struct {
	file              string
	services, regions map[string]string
	checks            map[string]check
}

type check struct{ id, service string }

// NamesOf returns the names of a configuration that was read from file.
func NamesOf(file string, c config.Config) Names {
	n := Names{file: file, services: make(map[string]string), regions: make(map[string]string), checks: make(map[string]check)}
	for _, s := range c.Services {
		n.services[s.ID] = s.ID
	}
	for _, r := range c.Regions {
		n.regions[r.ID] = r.ID
	}
	for _, t := range c.Checks {
		n.checks[t.ID] = check{t.ID, t.Service}
	}
	return n
}

// know puts the configuration's own copy in the place of each name, or says which
// one it does not know.
func (n *Names) know(name, service, region *string) error {
	c, known := n.checks[*name]
	r := n.regions[*region]
	switch {
	case !known:
		return fmt.Errorf("check: got %.80q, expected one of the checks of %s", *name, n.file)
	case r == "":
		return fmt.Errorf("region: got %.80q, expected one of the regions of %s", *region, n.file)
	case n.services[*service] == "":
		return fmt.Errorf("service: got %.80q, expected one of the services of %s", *service, n.file)
	case c.service != *service:
		return fmt.Errorf("service: got %q, expected %q, which has the check %s in %s", *service, c.service, c.id, n.file)
	}
	*name, *service, *region = c.id, c.service, r
	return nil
}

// words are words that were found good, one copy of each.
type words map[string]string

// maxWords bounds what is kept: more names than any fleet has.
const maxWords = 1 << 14

// keep returns the kept copy of a word, or what is wrong with it.
func (w words) keep(s string, check func(string) error) (string, error) {
	if kept, ok := w[s]; ok {
		return kept, nil
	}
	if err := check(s); err != nil {
		return "", err
	}
	if len(w) >= maxWords {
		clear(w)
	}
	w[s] = s
	return s, nil
}
