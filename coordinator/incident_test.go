package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"varde/checks"
	"varde/coordinator/internal/bulletin"
	"varde/coordinator/internal/control"
	"varde/coordinator/internal/incident"
	"varde/coordinator/internal/verdict"
)

const darkID = "2026-11-22-imap-9rwcp"

// oceania is an incident that has lasted for an hour at noon.
func oceania() incident.Shown {
	began := noon.Add(-time.Hour)
	series := verdict.Series{Check: "imap", Region: "oceania", Family: checks.IPv4}
	return incident.Shown{
		ID: darkID, Title: "IMAP cannot be reached from Oceania", Summary: "IMAP cannot be reached from Oceania since 11:00.", Stage: incident.Investigating,
		Impact: incident.MajorImpact, Started: began, Detected: began.Add(9 * time.Second), Public: true,
		Members: []incident.Member{{Series: series, State: verdict.Down, Worst: verdict.Down, Since: began}},
		Lines:   []incident.Line{{At: began, Words: "IMAP in Oceania is down"}, {At: noon, By: "kari", Words: "called\nthe upstream \x1b[31m"}},
	}
}

func (f *fleet) ListIncidents(_ context.Context, since time.Time) ([]incident.Shown, error) {
	if !since.Equal(noon.Add(-720 * time.Hour)) {
		return nil, errors.New("asked since " + since.String())
	}
	return []incident.Shown{oceania()}, nil
}

func (f *fleet) ShowIncident(_ context.Context, id string) (control.Incident, error) {
	if id != darkID {
		return control.Incident{}, errors.New("incident \"" + id + "\": there is no such incident")
	}
	return control.Incident{Shown: oceania(), Signs: []incident.Sign{{Words: "TCP connects time out: looks like filtering by region."}}}, nil
}

func (f *fleet) OrderIncident(_ context.Context, _ string, o incident.Order) (incident.Shown, error) {
	f.orders = append(f.orders, o)
	return oceania(), nil
}

func (f *fleet) Bulletins(_ context.Context, id string) ([]bulletin.Bulletin, error) {
	if id == "untold" {
		return nil, nil
	}
	return []bulletin.Bulletin{toldOf(id)}, nil
}

func (f *fleet) OrderBulletin(_ context.Context, page, id string, o bulletin.Order) (bulletin.Bulletin, error) {
	return toldOf(id).Apply(o)
}

// toldOf is what a page tells of an incident.
func toldOf(id string) bulletin.Bulletin {
	at := time.Date(2026, 11, 22, 11, 2, 0, 0, time.UTC)
	return bulletin.Bulletin{
		Page: "main", Incident: id, Title: "IMAP cannot be reached from Oceania", Stage: incident.Investigating, Told: at,
		Updates: []bulletin.Update{{ID: id + "-1", At: at, Stage: incident.Investigating, Text: "IMAP cannot be reached."}},
		Log:     []bulletin.Entry{{At: at, Did: "said investigating", Why: "its impact is major and it has lasted for 2 min"}},
	}
}

// TestToldCommands: what the pages tell is shown with its reasons, and a person's words are
// told.
func TestToldCommands(t *testing.T) {
	file, data := initialised(t)
	serve(t, data)
	config := []string{"--config", file}
	for _, tt := range []struct {
		args []string
		code int
		want []string
	}{
		{[]string{"told", "x"}, 0, []string{"main: public", "x-1 ", "IMAP cannot be reached.", "its impact is major"}},
		{[]string{"told", "untold"}, 0, []string{"No page tells anything of it."}},
		{[]string{"told", "x", "--json"}, 0, []string{`"page": "main"`, `"updates": [`}},
		{[]string{"post", "x", "We are on it.", "--by", "Kari", "--stage", "identified"}, 0, []string{"We are on it.", "identified (Kari)", "Kari writes"}},
		{[]string{"rewrite", "x", "x-1", "It is away."}, 0, []string{"It is away."}},
		{[]string{"take", "x"}, 0, []string{"writes"}},
		{[]string{"give", "x"}, 1, []string{"give: nobody has taken it"}},
		{[]string{"rewrite", "x", "x-9", "It is away."}, 1, []string{`rewrite: got update "x-9", expected one of this incident`}},
		{[]string{"post", "untold", "Hello."}, 1, []string{"no page tells anything of it"}},
	} {
		code, out, errs := call(t, append(append([]string{"incident"}, tt.args...), config...)...)
		for _, want := range tt.want {
			if (code != 0) != (tt.code != 0) || !strings.Contains(out+errs, want) {
				t.Errorf("%v: exit %d without %q:\n%s%s", tt.args, code, want, out, errs)
			}
		}
	}
}

func TestIncidentCommands(t *testing.T) {
	file, data := initialised(t)
	serve(t, data)
	config := []string{"--config", file}
	code, out, errs := call(t, append([]string{"incident", "list"}, config...)...)
	want := "ID                     STAGE          IMPACT  BEGAN (UTC)       LASTED  WHAT\n" +
		"2026-11-22-imap-9rwcp  investigating  major   2026-11-22 11:00  1 h     IMAP cannot be reached from Oceania\n"
	if code != 0 || out != want {
		t.Errorf("list: exit %d, %q, %q, want %q", code, out, errs, want)
	}
	code, out, errs = call(t, append([]string{"incident", "show", darkID}, config...)...)
	for _, part := range []string{"looks like", "filtering by region", "imap/oceania/ipv4", "goes on", "called the upstream ?[31m (kari)", "impact major, public"} {
		if code != 0 || !strings.Contains(out, part) {
			t.Errorf("show: exit %d, %q lacks %q, %q", code, out, part, errs)
		}
	}
	code, out, errs = call(t, append([]string{"incident", "list", "--json"}, config...)...)
	for _, part := range []string{`"id": "2026-11-22-imap-9rwcp"`, `"status": "investigating"`, `"started_at": "2026-11-22T11:00:00Z"`} {
		if code != 0 || !strings.Contains(out, part) || strings.Contains(out, "resolved_at") {
			t.Errorf("list: exit %d, %q lacks %q, %q", code, out, part, errs)
		}
	}
	if code, _, errs := call(t, append([]string{"incident", "show", "x"}, config...)...); code != 1 || !strings.Contains(errs, "there is no such incident") {
		t.Errorf("show nothing: exit %d, %q", code, errs)
	}
}

// TestIncidentDeeds has every deed done from the command line.
func TestIncidentDeeds(t *testing.T) {
	file, data := initialised(t)
	f := serve(t, data)
	series := verdict.Series{Check: "imap", Region: "oceania", Family: checks.IPv6}
	mark := func(text string) incident.Mark { return incident.Mark{At: noon, By: "kari", Text: text} }
	for _, tt := range []struct {
		args []string
		want incident.Order
	}{
		{[]string{"note", darkID, "they scrub"}, incident.Order{Deed: incident.Noting, Mark: mark("they scrub")}},
		{[]string{"note", darkID, "x", "--by", "ola"}, incident.Order{Deed: incident.Noting, Mark: incident.Mark{At: noon, By: "ola", Text: "x"}}},
		{[]string{"identify", darkID}, incident.Order{Deed: incident.Identifying, Mark: mark("")}},
		{[]string{"resolve", darkID, "mitigated"}, incident.Order{Deed: incident.Resolving, Mark: mark("mitigated")}},
		{[]string{"reword", darkID, "--title", "Attack"}, incident.Order{Deed: incident.Rewording, Mark: mark(""), Title: "Attack"}},
		{[]string{"false-alarm", darkID, "our probes"}, incident.Order{Deed: incident.CallingFalse, Mark: mark("our probes")}},
		{[]string{"publish", darkID}, incident.Order{Deed: incident.Publishing, Mark: mark(""), Public: true}},
		{[]string{"publish", darkID, "--private"}, incident.Order{Deed: incident.Publishing, Mark: mark("")}},
		{[]string{"merge", darkID, "--into", "other"}, incident.Order{Deed: incident.Merging, Mark: mark(""), Into: "other"}},
		{[]string{"split", darkID, "imap/oceania/ipv6"}, incident.Order{Deed: incident.Splitting, Mark: mark(""), Series: []verdict.Series{series}}},
		{[]string{"undo", darkID, "false-alarm"}, incident.Order{Deed: incident.CallingFalse, Mark: mark(""), Back: true}},
	} {
		f.orders = nil
		code, out, errs := call(t, append(append([]string{"incident"}, tt.args...), "--config", file)...)
		if code != 0 || !strings.Contains(out, "IMAP cannot be reached") {
			t.Errorf("%v: exit %d, %q, %q", tt.args, code, out, errs)
		}
		if diff := cmp.Diff([]incident.Order{tt.want}, f.orders); diff != "" {
			t.Errorf("%v (-want +got):\n%s", tt.args, diff)
		}
	}
	for _, args := range [][]string{{"split", darkID, "imap"}, {"split", darkID, "imap/oceania/ipv5"}, {"undo", darkID, "split"}, {"merge", darkID}} {
		if code, _, errs := call(t, append(append([]string{"incident"}, args...), "--config", file)...); code != 2 {
			t.Errorf("%v: exit %d, %q, want 2", args, code, errs)
		}
	}
}
