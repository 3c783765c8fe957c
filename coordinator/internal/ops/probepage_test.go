package ops

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"varde/coordinator/internal/presence"
	"varde/proto/wire"
)

// TestProbePageSaysWhatIsWrong: each condition of a probe is a sentence on its page.
func TestProbePageSaysWhatIsWrong(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newServer(t, newFake(), nil)
		for name, want := range map[string][]string{
			"osl-1": {"<h1>", "osl-1: connected</h1>", "directly since 19 Nov, 10:20 UTC, 3 d", "r418, the newest", "Nothing.", "since its program started, 19 Nov, 10:00 UTC by its clock"},
			"fra-2": {
				"fra-2: connected, not fit to judge</h1>",
				`<b class="s-flaky">no since 09:51:14 UTC, 29 min: 0 of 3 controls answer over ipv4; its failures count as unknown</b>`,
				"12 records to send", "see whether its network works", `<b class="s-flaky">58</b></td><td>failures that became unknown`,
			},
			"mel-1": {"mel-1: connected through akl-1</h1>", `<b class="s-flaky">through akl-1 since 09:42:14 UTC, 38 min</b>`, "no address of a coordinator answers it"},
			"kul-1": {"kul-1: silent</h1>", `<b class="s-flaky">silent, seen 11 min ago</b>`, "r417, the newest is r418"},
			"akl-1": {
				"UDP does not reach this probe; open UDP 7946 in the firewall: the mesh goes on over TCP",
				"its spool lost 1,204 records", `<b class="s-flaky">1,204</b></td><td>records that the spool lost`, `<a href="/probe/syd-1">syd-1</a>`,
			},
		} {
			w := get(s, "/probe/"+name)
			for _, words := range want {
				if w.Code != 200 || !strings.Contains(w.Body.String(), words) {
					t.Errorf("%s: got %d without %q", name, w.Code, words)
				}
			}
		}
		if w := get(s, "/probe/nobody"); w.Code != 404 || !strings.Contains(w.Body.String(), "is not in the roster") {
			t.Errorf("an unknown probe: got %d", w.Code)
		}
	})
}

// TestProbeThatSaidNothing has no counts, no way, no clock and no spool, and is not
// said to run an old plan.
func TestProbeThatSaidNothing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFake()
		f.now.Probes = []Probe{{Name: "new-1", Region: "eu-north"}}
		body := get(newServer(t, f, nil), "/probe/new-1").Body.String()
		for _, not := range []string{"the newest is", "directly", "<table", "records that", "against ours", "empty", "Fit to judge"} {
			if strings.Contains(body, not) {
				t.Errorf("the page says %q", not)
			}
		}
		if !strings.Contains(body, "It has not said anything of itself.") {
			t.Error("the page does not say that nothing is known")
		}
		want := `"last_seen":null,"clock_offset_ms":null,"plan_revision":null,"spool":null,"qualified":null,"reason":"","relay":"","faults":[],"counts":null`
		if got := get(newServer(t, f, nil), "/api/v1/probes").Body.String(); !strings.Contains(got, want) {
			t.Errorf("got %s, want %s", got, want)
		}
		if list := get(newServer(t, f, nil), "/probes").Body.String(); strings.Contains(list, "ms</td>") || strings.Contains(list, ">r0<") {
			t.Errorf("the list gives numbers that nobody knows: %s", list)
		}
	})
}

// TestFitnessIsOfNow: what a probe held of itself three days ago says nothing of it now.
func TestFitnessIsOfNow(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFake()
		f.now.Probes = []Probe{{
			Name: "gone-1", Region: "eu-north", Epoch: "e", State: presence.Silent, LastSeen: morning.Add(-72 * time.Hour), Qualified: wire.Qualified,
		}}
		s := newServer(t, f, nil)
		if got := get(s, "/api/v1/probes").Body.String(); !strings.Contains(got, `"spool":0,"qualified":null`) {
			t.Errorf("got %s, want null for qualified", got)
		}
		if body := get(s, "/probe/gone-1").Body.String(); strings.Contains(body, "Fit to judge") {
			t.Error("its page says whether it is fit to judge")
		}
	})
}

// TestProbeNotices: the overview names what spoils observations first, once for
// all probes that say the same, and nothing of what is over.
func TestProbeNotices(t *testing.T) {
	probe := func(name string, change func(*Probe)) Probe {
		p := Probe{Name: name, Epoch: "e1", State: presence.Connected, MeshAddress: "192.0.2.1:7946"}
		change(&p)
		return p
	}
	n := Now{At: morning, Probes: []Probe{
		probe("a", func(p *Probe) { p.Faults = []wire.Fault{wire.FaultUDPBlocked} }),
		probe("b", func(p *Probe) { p.Relay = "c" }),
		probe("c", func(p *Probe) { p.Qualified, p.Reason = wire.Disqualified, "0 of 3" }),
		probe("d", func(p *Probe) { p.Faults = []wire.Fault{wire.FaultUDPBlocked} }),
		probe("e", func(p *Probe) { p.Counts.Dropped, p.LostAt = 3, morning.Add(-time.Hour) }),
		probe("f", func(p *Probe) { p.Counts.Dropped, p.LostAt = 3, morning.Add(-25*time.Hour) }),
		probe("g", func(p *Probe) { p.Qualified = wire.Qualified }),
		probe("h", func(p *Probe) {
			p.State, p.Relay, p.Qualified, p.Faults = presence.Silent, "c", wire.Disqualified, []wire.Fault{wire.FaultNAT}
		}),
	}}
	var got []string
	for _, v := range n.probeNotices() {
		got = append(got, v.Title+" | "+v.Detail+" | "+strings.Join(v.Probes, " "))
	}
	want := []string{
		"not fit to judge | 0 of 3; failures seen from there count as unknown | c",
		"loses records | the spool lost some within the last day; the page of the probe says how many | e",
		"relayed | reaches this coordinator only through another probe | b",
		"UDP is blocked | UDP does not reach this probe; open UDP 7946 in the firewall: the mesh goes on over TCP | a d",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("notices (-want +got):\n%s", d)
	}
	if got, want := ProbeNotices(n.Probes, morning)[3], "UDP is blocked (a and d): UDP does not reach this probe; open UDP 7946 in the firewall: the mesh goes on over TCP"; got != want {
		t.Errorf("in words: got %q, want %q", got, want)
	}
	views := n.notices(standing{})
	if !slices.ContainsFunc(views, func(v noticeView) bool { return v.Title == "relayed" }) {
		t.Error("the overview lacks them")
	}
}
