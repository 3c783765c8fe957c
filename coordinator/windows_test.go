package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"varde/coordinator/internal/control"
	"varde/coordinator/internal/plan"
	"varde/coordinator/internal/register"
)

func (f *fleet) ListWindows(_ context.Context, kind register.Kind, since time.Time) ([]control.Window, error) {
	if kind == register.Maintenance && since.Equal(noon) {
		return []control.Window{
			{Window: register.Window{ID: "m-2026-11-22-1", Kind: kind, Services: []string{"imap", "smtp"}, Regions: []string{"oceania"}, From: noon.Add(-time.Hour), To: noon.Add(time.Hour), Title: "New uplink in \x1b[31mSydney", Made: noon.Add(-20 * time.Minute)}, State: "active"},
			{Window: register.Window{ID: "m-2026-11-24-1", Kind: kind, Services: []string{"imap"}, From: noon.Add(58 * time.Hour), To: noon.Add(59 * time.Hour), Title: "Move", Made: noon}, State: "coming", Providers: []string{"Fjord", "Berg"}},
		}, nil
	}
	if kind == register.Watch && since.Equal(noon.Add(-24*time.Hour)) {
		return []control.Window{{
			Window: register.Window{ID: "w-2026-11-23-1", Kind: kind, Services: []string{"imap"}, From: noon.Add(18 * time.Hour), To: noon.Add(32 * time.Hour), Title: "Attack"}, State: "coming",
			Checks: []plan.Watched{
				{Check: "imap-a", Own: 30 * time.Second, Every: 10 * time.Second},
				{Check: "imap-b", Own: 3 * time.Minute, Every: 3 * time.Minute, Limit: "not more often without consent of the service"},
			},
		}}, nil
	}
	return nil, fmt.Errorf("asked for %s since %s", kind, since)
}

func (f *fleet) AddWindow(_ context.Context, w register.Window) (control.Window, error) {
	if w.Services[0] == "nothing" {
		return control.Window{}, errors.New("service: got \"nothing\", expected the id of a service: imap\ntitle: got \"\"")
	}
	f.windows = append(f.windows, w)
	w.ID = string(w.Kind)[:1] + "-2026-11-22-1"
	return control.Window{Window: w, State: w.State(noon)}, nil
}

func (f *fleet) CancelWindow(_ context.Context, kind register.Kind, id, by string) (control.Window, error) {
	f.cancelled = append(f.cancelled, string(kind)+" "+id+" "+by)
	w := register.Window{ID: id, From: noon.Add(-time.Hour), To: noon, Cancelled: noon}
	if strings.HasSuffix(id, "2") {
		w.From = noon.Add(time.Hour)
	}
	return control.Window{Window: w}, nil
}

// TestAnnounce has every way to say when tried from the command line.
func TestAnnounce(t *testing.T) {
	file, data := initialised(t)
	f := serve(t, data)
	move := register.Window{Kind: register.Maintenance, Services: []string{"imap"}, From: noon.Add(58 * time.Hour), To: noon.Add(60 * time.Hour), Title: "Database move", By: "kari"}
	for _, c := range []struct {
		from, to string
		want     [2]time.Time
	}{
		{"2026-11-24T22:00Z", "+2h", [2]time.Time{move.From, move.To}},
		{"2026-11-24T23:00:00+01:00", "2026-11-25 00:00", [2]time.Time{move.From, move.To}},
		{"2026-11-24 22:00:00", "2026-11-25T00:00", [2]time.Time{move.From, move.To}},
		{"now", "90m", [2]time.Time{noon, noon.Add(90 * time.Minute)}},
		{"1h", "2h", [2]time.Time{noon.Add(time.Hour), noon.Add(2 * time.Hour)}},
		{"+1h", "+2h", [2]time.Time{noon.Add(time.Hour), noon.Add(3 * time.Hour)}},
		{"2d", "+1d", [2]time.Time{noon.Add(48 * time.Hour), noon.Add(72 * time.Hour)}},
	} {
		f.windows = nil
		code, out, errs := call(t, "maintenance", "add", "--config", file, "--service", "imap", "--from", c.from, "--to", c.to, "--title", "Database move")
		want := move
		want.From, want.To = c.want[0], c.want[1]
		if diff := cmp.Diff([]register.Window{want}, f.windows); diff != "" || code != 0 || !strings.Contains(out, "imap: Database move") {
			t.Errorf("from %s to %s: exit %d, %s%s (-want +got):\n%s", c.from, c.to, code, out, errs, diff)
		}
		if errs != "To take it back: varde-coordinator maintenance cancel m-2026-11-22-1\n" {
			t.Errorf("said %q", errs)
		}
	}
}

// TestAnnounceEverything has every flag given.
func TestAnnounceEverything(t *testing.T) {
	file, data := initialised(t)
	f := serve(t, data)
	for _, args := range [][]string{
		{"maintenance", "add", "--service", "imap", "--service", "smtp", "--region", "oceania", "--region", "eu-north", "--from", "now", "--to", "+1h", "--title", "Move", "--by", "ola"},
		{"watch", "add", "--service", "imap,smtp", "--every", "10s", "--from", "now", "--to", "+1h", "--title", "Attack", "--json"},
	} {
		if code, out, errs := call(t, append(args, "--config", file)...); code != 0 || args[0] == "watch" && !strings.Contains(out, `"every_ns": 10000000000`) {
			t.Errorf("%v: exit %d, %s, %s", args, code, out, errs)
		}
	}
	want := []register.Window{
		{Kind: register.Maintenance, Services: []string{"imap", "smtp"}, Regions: []string{"oceania", "eu-north"}, From: noon, To: noon.Add(time.Hour), Title: "Move", By: "ola"},
		{Kind: register.Watch, Services: []string{"imap", "smtp"}, From: noon, To: noon.Add(time.Hour), Title: "Attack", By: "kari", Every: 10 * time.Second},
	}
	if diff := cmp.Diff(want, f.windows); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestAnnounceMisuse: an error names the flag, what was got and what was expected.
func TestAnnounceMisuse(t *testing.T) {
	file, data := initialised(t)
	f := serve(t, data)
	const times = `now, a time such as 2026-11-24T22:00Z or "2026-11-24 22:00" (UTC), or a time from now on such as 90m or 2d`
	for _, c := range []struct {
		from, to, service, want string
		code                    int
	}{
		{"tomorrow", "+2h", "imap", `maintenance add: --from: got "tomorrow", expected ` + times, 2},
		{"2026-11-31 22:00", "+2h", "imap", `maintenance add: --from: got "2026-11-31 22:00", expected ` + times, 2},
		{"0000-01-01T00:00:00+01:00", "+2h", "imap", `maintenance add: --from: got "0000-01-01T00:00:00+01:00", expected ` + times, 2},
		{"now", "soon", "imap", `maintenance add: --to: got "soon", expected +2h after --from, ` + times, 2},
		{"now", "+0s", "imap", `maintenance add: --to: got "0s", expected +2h after --from, ` + times, 2},
		{"now", "+-2h", "imap", `maintenance add: --to: got "-2h", expected +2h after --from, ` + times, 2},
		{"9999-12-31 00:00", "+2d", "imap", `maintenance add: --to: got "2d", expected +2h after --from, ` + times, 2},
		{"now", "+1h", "nothing", `maintenance add: --service: got "nothing", expected the id of a service: imap` + "\nvarde-coordinator: maintenance add: --title: got \"\"", 1},
	} {
		code, out, errs := call(t, "maintenance", "add", "--config", file, "--service", c.service, "--from", c.from, "--to", c.to, "--title", "Move")
		if code != c.code || out != "" || errs != "varde-coordinator: "+c.want+"\n" {
			t.Errorf("from %s to %s: exit %d, %q, want %d and %q", c.from, c.to, code, errs, c.code, c.want)
		}
	}
	for _, args := range []string{"maintenance add --from now --to 1h --title x", "watch add --service imap --to 1h --title x", "watch list --since -1h", "maintenance cancel"} {
		if code, _, errs := call(t, append(strings.Fields(args), "--config", file)...); code != 2 {
			t.Errorf("%s: exit %d, %q, want 2", args, code, errs)
		}
	}
	if len(f.windows) != 0 {
		t.Errorf("announced %+v", f.windows)
	}
}

func TestWindowLists(t *testing.T) {
	file, data := initialised(t)
	serve(t, data)
	for args, want := range map[string]string{
		"maintenance list": `ID              STATE   FROM (UTC)        LASTS  WHAT
m-2026-11-22-1  active  2026-11-22 11:00  2 h    imap, smtp in oceania: New
                                                 uplink in ?[31mSydney
                                                 announced 40 min after it
                                                 began, which count for the
                                                 objective
m-2026-11-24-1  coming  2026-11-24 22:00  1 h    imap of Fjord and Berg: Move
`,
		"watch list --since 24h": `ID              STATE   FROM (UTC)        LASTS  WHAT
w-2026-11-23-1  coming  2026-11-23 06:00  14 h   imap: Attack
                                                 imap-a every 10s, not 30s
                                                 imap-b stays at every 3m0s:
                                                 not more often without
                                                 consent of the service
`,
	} {
		code, out, errs := call(t, append(strings.Fields(args), "--config", file)...)
		if out != want || errs != "" || code != 0 {
			t.Errorf("%s: exit %d, %s\n%swant\n%s", args, code, errs, out, want)
		}
		for line := range strings.Lines(out) {
			if n := len([]rune(strings.TrimSpace(line))); n > 80 {
				t.Errorf("a line of %d characters: %s", n, line)
			}
		}
	}
	if _, out, _ := call(t, "maintenance", "list", "--json", "--config", file); !strings.Contains(out, `"state": "active"`) || !strings.Contains(out, `"from": "2026-11-22T11:00:00Z"`) {
		t.Errorf("as JSON: %s", out)
	}
}

func TestCancelWindows(t *testing.T) {
	file, data := initialised(t)
	f := serve(t, data)
	for args, want := range map[string]string{
		"maintenance cancel m-1":    "m-1 ended at 2026-11-22 12:00:00 UTC; it stays on record\n",
		"watch cancel w-2 --by ola": "w-2 was withdrawn before it began; it stays on record\n",
	} {
		f.cancelled = nil
		code, out, errs := call(t, append(strings.Fields(args), "--config", file)...)
		by := map[bool]string{true: "ola", false: "kari"}[strings.Contains(args, "ola")]
		if words := strings.Fields(args); code != 0 || out != want || strings.Join(f.cancelled, "") != words[0]+" "+words[2]+" "+by {
			t.Errorf("%s: exit %d, %q, %q, %v", args, code, out, errs, f.cancelled)
		}
	}
}

// TestLateAnnouncementIsSaid: by the help before, and by the list after it. A command
// that says "now" takes a moment, of which nothing is said.
func TestLateAnnouncementIsSaid(t *testing.T) {
	if _, out, _ := call(t, "maintenance", "add", "--help"); !strings.Contains(strings.Join(strings.Fields(out), " "), "out of the objective from its announcement on only: the time before that counts.") {
		t.Errorf("the help does not say what counts:\n%s", out)
	}
	for after, want := range map[time.Duration]int{-time.Hour: 1, 59 * time.Second: 1, time.Minute: 2} {
		w := register.Window{Kind: register.Maintenance, Services: []string{"imap"}, From: noon, To: noon.Add(time.Hour), Made: noon.Add(after)}
		if got := whatOf(control.Window{Window: w}); len(got) != want {
			t.Errorf("announced %s after it began: got %q", after, got)
		}
		w.Kind = register.Watch
		if got := whatOf(control.Window{Window: w}); len(got) != 1 {
			t.Errorf("a watch announced %s after it began: got %q", after, got)
		}
	}
}

// TestWindowHelp: what a maintenance and a watch do, with examples.
func TestWindowHelp(t *testing.T) {
	for _, args := range []string{"maintenance", "maintenance add", "maintenance list", "maintenance cancel", "watch", "watch add", "watch list", "watch cancel"} {
		code, out, _ := call(t, append(strings.Fields(args), "--help")...)
		if code != 0 || !strings.Contains(out, "  varde-coordinator "+strings.Fields(args)[0]) {
			t.Errorf("%s --help: exit %d\n%s", args, code, out)
		}
	}
}

// FuzzMoment: whatever is given is a time that can be written and read again, or an
// error that says what was expected.
func FuzzMoment(f *testing.F) {
	for _, text := range []string{"now", "2026-11-24T22:00Z", "2026-11-24 22:00", "2026-11-24T22:00:00.5+05:30", "90m", "+2h", "1y", "9999-12-31 23:59", "0001-01-01", "-1h", "1e9h", "\x00"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, read := range []func() (time.Time, error){
			func() (time.Time, error) { return moment(text, noon) },
			func() (time.Time, error) { return end(text, noon.Add(time.Hour), noon) },
		} {
			at, err := read()
			if err != nil {
				if !strings.Contains(err.Error(), "expected") {
					t.Errorf("%q: %v", text, err)
				}
				continue
			}
			b, err := at.MarshalText()
			if err != nil {
				t.Fatalf("%q is %s: %v", text, at, err)
			}
			if again, err := moment(string(b), noon); err != nil || !again.Equal(at) {
				t.Errorf("%q is %s, and that is %s, %v", text, at, again, err)
			}
		}
	})
}
