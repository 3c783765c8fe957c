package ops

import (
	"slices"
	"time"

	"varde/coordinator/internal/graph"
)

// probeNotices are what is to be mended of the probes, what spoils observations
// first. What several probes say in the same words is one notice: in a bad hour
// all of them may say something.
func (n Now) probeNotices() []noticeView {
	var out []noticeView
	for _, find := range []func(Probe) []noticeView{n.unfitNotice, n.lossNotice, n.relayNotice, n.faultNotices} {
		for _, p := range n.Probes {
			for _, v := range find(p) {
				out = gather(out, v, p.Name)
			}
		}
	}
	return out
}

// ProbeNotices says what is to be mended of the probes, a line each.
func ProbeNotices(probes []Probe, at time.Time) []string {
	var out []string
	for _, v := range (Now{At: at, Probes: probes}).probeNotices() {
		out = append(out, v.Title+" ("+some(v.Probes)+"): "+v.Detail)
	}
	return out
}

// gather adds a notice about a probe, to one that says the same if there is.
func gather(all []noticeView, v noticeView, probe string) []noticeView {
	i := slices.IndexFunc(all, func(o noticeView) bool { return o.Title == v.Title && o.Detail == v.Detail })
	if i < 0 {
		v.Probes = []string{probe}
		return append(all, v)
	}
	all[i].Probes = append(all[i].Probes, probe)
	return all
}

// aboutUs is a notice about our side: what is measured there may be missing, and
// that is no verdict.
func aboutUs(title, detail string) []noticeView {
	return []noticeView{{Class: graph.Unknown.Class(), Glyph: graph.Unknown.Glyph(), Title: title, Detail: detail}}
}

func (n Now) unfitNotice(p Probe) []noticeView {
	if !p.connected() || !p.unfit() {
		return nil
	}
	detail := "failures seen from there count as unknown"
	if p.Reason != "" {
		detail = p.Reason + "; " + detail
	}
	return aboutUs("not fit to judge", detail)
}

func (n Now) lossNotice(p Probe) []noticeView {
	if !n.losing(p) {
		return nil
	}
	return aboutUs("loses records", "the spool lost some within the last day; the page of the probe says how many")
}

func (n Now) relayNotice(p Probe) []noticeView {
	if !p.relayed() {
		return nil
	}
	return aboutUs("relayed", "reaches this coordinator only through another probe")
}

func (n Now) faultNotices(p Probe) (out []noticeView) {
	if !p.connected() {
		return nil
	}
	for _, f := range p.Faults {
		out = append(out, aboutUs(faultWord(f), f.Advice(p.MeshAddress))...)
	}
	return out
}
