package evidence

import (
	"cmp"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"varde/checks"
	"varde/coordinator/internal/history"
)

// servers is what servers showed of themselves.
type servers struct {
	addresses map[addressKey]*addressRecord
	chains    map[chainKey]*chainRecord
	more      int
}

type addressKey struct {
	site
	family  checks.Family
	address string
}

type chainKey struct{ check, chain string }

// addressRecord is an address that was dialled.
type addressRecord struct {
	Check   string        `json:"check"`
	Region  string        `json:"region"`
	Family  checks.Family `json:"family"`
	Address string        `json:"address"`
	Network string        `json:"network"`
	First   time.Time     `json:"first"`
	Last    time.Time     `json:"last"`
	Runs    counts        `json:"runs"`
}

// chainRecord is a chain of certificates that was shown.
type chainRecord struct {
	Check     string               `json:"check"`
	Version   string               `json:"tls,omitempty"`
	Chain     []checks.Certificate `json:"chain"`
	First     time.Time            `json:"first"`
	Last      time.Time            `json:"last"`
	Runs      int                  `json:"runs"`
	Regions   []string             `json:"regions"`
	Addresses []string             `json:"addresses"`
}

// moveRecord is a change in what a server shows.
type moveRecord struct {
	At     time.Time              `json:"at"`
	Check  string                 `json:"check"`
	Region string                 `json:"region"`
	Probe  string                 `json:"probe"`
	Family checks.Family          `json:"family"`
	Kind   history.AnnotationKind `json:"kind"`
	From   string                 `json:"from"`
	To     string                 `json:"to"`
}

func newServers() servers {
	return servers{addresses: make(map[addressKey]*addressRecord), chains: make(map[chainKey]*chainRecord)}
}

// take takes note of whom an observation met.
func (v *servers) take(o *checks.Observation) {
	if o.Address == "" {
		return
	}
	k := addressKey{site{o.Check, o.Region}, o.Family, o.Address}
	r := v.addresses[k]
	if r == nil {
		if len(v.addresses) >= maxKinds {
			v.more++
			return
		}
		r = &addressRecord{Check: o.Check, Region: o.Region, Family: o.Family, Address: o.Address, Network: o.Network(), First: o.End()}
		v.addresses[k] = r
	}
	r.Last = o.End()
	r.Runs.add(o.Outcome)
	if o.TLS != nil && len(o.TLS.Chain) > 0 {
		v.takeChain(o)
	}
}

func (v *servers) takeChain(o *checks.Observation) {
	k := chainKey{o.Check, nameOf(o.TLS)}
	r := v.chains[k]
	if r == nil {
		if len(v.chains) >= maxKinds {
			v.more++
			return
		}
		r = &chainRecord{Check: o.Check, Version: o.TLS.Version, Chain: o.TLS.Chain, First: o.End()}
		v.chains[k] = r
	}
	r.Last = o.End()
	r.Runs++
	r.Regions = with(r.Regions, o.Region)
	if host, _, err := net.SplitHostPort(o.Address); err == nil && len(r.Addresses) < maxRuns {
		r.Addresses = with(r.Addresses, host)
	}
}

// nameOf tells handshakes apart: by version, keys, and when the certificates end.
func nameOf(h *checks.Handshake) string {
	var b strings.Builder
	b.WriteString(h.Version)
	for _, c := range h.Chain {
		b.WriteString(" " + c.Key + " " + c.Issuer + " " + strconv.FormatInt(c.NotAfter.Unix(), 10))
	}
	return b.String()
}

// with is a sorted list with one more in it.
func with(list []string, s string) []string {
	if at, ok := slices.BinarySearch(list, s); !ok {
		return slices.Insert(list, at, s)
	}
	return list
}

// addressRecords are in order of check, region, family and when they were first seen.
func (v *servers) addressRecords() []addressRecord {
	return records(v.addresses, func(x, y addressRecord) int {
		return cmp.Or(cmp.Compare(x.Check, y.Check), cmp.Compare(x.Region, y.Region), cmp.Compare(x.Family, y.Family),
			x.First.Compare(y.First), cmp.Compare(x.Address, y.Address))
	})
}

// chainRecords are in order of check and when they were first seen.
func (v *servers) chainRecords() []chainRecord {
	return records(v.chains, func(x, y chainRecord) int {
		return cmp.Or(cmp.Compare(x.Check, y.Check), x.First.Compare(y.First), cmp.Compare(x.Chain[0].Key, y.Chain[0].Key),
			cmp.Compare(nameOf(&checks.Handshake{Version: x.Version, Chain: x.Chain}), nameOf(&checks.Handshake{Version: y.Version, Chain: y.Chain})))
	})
}

func (c Case) moveRecords() []moveRecord {
	out := make([]moveRecord, 0, len(c.Moves))
	for _, m := range c.Moves {
		out = append(out, moveRecord{m.At, m.Check, m.Region, m.Probe, m.Family, m.Kind, m.From, m.To})
	}
	slices.SortStableFunc(out, func(x, y moveRecord) int {
		return cmp.Or(x.At.Compare(y.At), cmp.Compare(x.Check, y.Check), cmp.Compare(x.Probe, y.Probe), cmp.Compare(x.Kind, y.Kind))
	})
	return out
}

// records are the values of a map in order; never nil, which JSON would tell apart.
func records[K comparable, V any](m map[K]*V, compare func(x, y V) int) []V {
	out := make([]V, 0, len(m))
	for v := range maps.Values(m) {
		out = append(out, *v)
	}
	slices.SortFunc(out, compare)
	return out
}
