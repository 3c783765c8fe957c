package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"varde/probe/internal/status"
	"varde/proto/wire"
)

// TestStatusSaysWhatIsLeftAlone: whoever wonders why nothing is measured finds it
// in one line each.
func TestStatusSaysWhatIsLeftAlone(t *testing.T) {
	now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	var out strings.Builder
	err := new(statusCommand).print(&out, status.Status{
		Name: "osl-1", Region: "eu-north", Started: now,
		Resting:      []status.Resting{{What: "login of probe@example.net: refused", Until: now.Add(42 * time.Minute)}},
		BlockedPorts: []status.BlockedPort{{Port: 25, Since: now}},
	}, now)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"left alone    login of probe@example.net: refused, until 10:42 UTC\n",
		"blocked?      outbound port 25 has never worked from here, failing since 2026-11-22T10:00:00Z\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("got\n%s\nwant %q in it", out.String(), want)
		}
	}
}

// TestStatusGolden prints a probe that has everything: another probe passes it on,
// its controls fail, its firewall is half shut, and things were lost.
func TestStatusGolden(t *testing.T) {
	now := time.Date(2026, 11, 22, 11, 0, 0, 0, time.UTC)
	at := func(ago time.Duration) *time.Time { return new(now.Add(-ago)) }
	mesh := "192.0.2.10:7946"
	s := status.Status{
		Name: "eu-north-1", Region: "eu-north", Started: *at(3 * time.Hour), CertificateEnds: now.AddDate(0, 0, 30),
		Qualified: wire.Disqualified, Reason: "0 of 3 controls answer over ipv4",
		Plan:        status.Plan{Generation: 1, Revision: 7, Entries: 24},
		Coordinator: status.Uplink{Connected: true, Address: "203.0.113.1:7950", Relay: "eu-north-2", Since: at(18 * time.Minute), LastAck: at(2 * time.Second)},
		Spool:       status.Spool{Records: 12, Bytes: 4096},
		Faults: []status.Fault{
			{Fault: wire.FaultNoIPv6, Advice: wire.FaultNoIPv6.Advice(mesh)},
			{Fault: wire.FaultUDPBlocked, Advice: wire.FaultUDPBlocked.Advice(mesh)},
		},
		Mesh: status.Mesh{Address: mesh, Settled: true, Peers: []status.Peer{
			{Name: "eu-north-1", Region: "eu-north", Address: mesh, PeerAddress: "192.0.2.10:7947", Generation: 1, Revision: 7},
			{Name: "eu-north-2", Region: "eu-north", Address: "192.0.2.11:7946", PeerAddress: "192.0.2.11:7947", Generation: 1, Revision: 7, Coordinator: true},
			{Name: "oceania-1", Region: "oceania", Address: "198.51.100.4:7946", Generation: 1, Revision: 6, Coordinator: true},
		}},
		Counts: wire.Counts{Runs: 8640, Late: 3, Dropped: 5, Disqualified: 41, ConfirmsAsked: 9, RelayUsed: 1},
	}
	want := `probe         eu-north-1 in eu-north, running for 3h0m0s
fit to judge  no: 0 of 3 controls answer over ipv4; failures count as unknown
coordinator   connected to 203.0.113.1:7950 through eu-north-2 since 10:42 UTC, last acknowledged 2s ago
plan          revision 7 of generation 1, 24 checks x families
spool         12 records, 4096 bytes
certificate   ends 2026-12-22T11:00:00Z
to mend       no control answers over IPv6, and over IPv4 they do; mend its IPv6 or take the address away: it goes on over IPv4 alone
to mend       UDP does not reach this probe; open UDP 7946 in the firewall: the mesh goes on over TCP
since start   8640  runs that began on schedule
              3     runs that began over 250 ms late
              5     records that the spool lost
              41    failures that became unknown, because the controls did not answer either
              9     runs asked of others after a failure here
              1     connections to a coordinator that another probe passed on
mesh          192.0.2.10:7946, 3 members, settled
              eu-north-1  eu-north  192.0.2.10:7946    reaches no coordinator by itself
              eu-north-2  eu-north  192.0.2.11:7946    reaches a coordinator
              oceania-1   oceania   198.51.100.4:7946  reaches a coordinator, plan 1.6, cannot help others
`
	var out strings.Builder
	if err := new(statusCommand).print(&out, s, now); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, out.String()); d != "" {
		t.Errorf("status (-want +got):\n%s", d)
	}
}

// TestStatusWords are those of a probe with nothing to tell, and of one that never
// met a coordinator.
func TestStatusWords(t *testing.T) {
	now := time.Date(2026, 11, 22, 11, 0, 0, 0, time.UTC)
	for got, want := range map[string]string{
		fitWords(wire.Qualified, ""):                    "yes",
		fitWords(wire.NotJudged, ""):                    "not judged: no control was asked",
		fitWords(wire.Disqualified, ""):                 "no; failures count as unknown",
		coordinatorWords(status.Uplink{}, now):          "not connected",
		clock(now.Add(-25*time.Hour), now):              "21 Nov, 10:00 UTC",
		peerWords(status.Peer{}, status.Plan{}):         "reaches no coordinator by itself, cannot help others",
		meshWords(status.Mesh{Error: "no such device"}): "not running: no such device",
		coordinatorWords(status.Uplink{Since: new(now.Add(-time.Hour)), LastError: "refused"}, now): "not connected since 10:00 UTC, refused",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
