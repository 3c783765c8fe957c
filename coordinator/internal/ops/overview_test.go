package ops

import (
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"varde/checks"
	"varde/coordinator/internal/verdict"
)

// shown is the overview of a snapshot with a filter.
func shown(t *testing.T, s *Server, now Now, f filter) overviewView {
	t.Helper()
	b, err := s.board(t.Context(), now, f)
	if err != nil {
		t.Fatal(err)
	}
	return s.overviewOf(b)
}

// filterOf reads a query as the overview does.
func filterOf(t *testing.T, query string) filter {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, "/?"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	q := ask(r.URL.Query())
	f := q.filter()
	if q.err != nil {
		t.Fatalf("%s: %v", query, q.err)
	}
	return f
}

// What is chosen is shown, in its columns, and what is left out is said.
func TestFilter(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFake()
		for i := range f.now.Services {
			f.now.Services[i].Provider = []string{"fjordmail", "bergpost"}[i%2]
		}
		s := newServer(t, f, nil)
		for _, c := range []struct {
			query    string
			cells    int
			columns  int
			says     string
			hidden   string
			clearing bool
		}{
			{"", 45, 5, "9 checks, 45 verdicts", "", false},
			{"q=&state=&region=&service=&provider=&group=&sort=", 45, 5, "9 checks, 45 verdicts", "", false},
			{"state=down", 4, 1, "4 of 9 checks, 4 of 45 verdicts", "trouble of 4 checks is hidden", true},
			{"state=down,slow", 5, 2, "5 of 9 checks, 5 of 45 verdicts", "trouble of 3 checks is hidden", true},
			{"state=down,intermittent,slow,unknown", 8, 4, "8 of 9 checks, 8 of 45 verdicts", "", true},
			{"state=partial", 1, 1, "1 of 9 checks, 1 of 45 verdicts", "trouble of 7 checks is hidden", true},
			{"q=imap", 10, 5, "2 of 9 checks, 10 of 45 verdicts", "trouble of 6 checks is hidden", true},
			{"q=imap+oceania", 2, 1, "2 of 9 checks, 2 of 45 verdicts", "trouble of 6 checks is hidden", true},
			{"q=IMAP,+Oceania+down", 2, 1, "2 of 9 checks, 2 of 45 verdicts", "trouble of 6 checks is hidden", true},
			{"q=phase:connect", 4, 1, "4 of 9 checks, 4 of 45 verdicts", "trouble of 4 checks is hidden", true},
			{"q=bergpost", 20, 5, "4 of 9 checks, 20 of 45 verdicts", "trouble of 5 checks is hidden", true},
			{"region=eu-north", 9, 1, "9 of 9 checks, 9 of 45 verdicts", "trouble of 8 checks is hidden", true},
			{"service=imap", 10, 5, "2 of 9 checks, 10 of 45 verdicts", "trouble of 6 checks is hidden", true},
			{"provider=bergpost&state=unknown", 1, 1, "1 of 9 checks, 1 of 45 verdicts", "trouble of 7 checks is hidden", true},
			{"q=nothing+like+it", 0, 0, "0 of 9 checks, 0 of 45 verdicts", "trouble of 8 checks is hidden", true},
			{"group=none&sort=name", 45, 5, "9 checks, 45 verdicts", "", false},
		} {
			v := shown(t, s, f.now, filterOf(t, c.query))
			columns := map[string]bool{}
			cells := 0
			for _, x := range everyCell(v) {
				cells++
				columns[x.Region] = true
			}
			if v.Found != c.cells || cells != c.cells || len(columns) != c.columns || v.All != 45 {
				t.Errorf("%q: got %d of %d cells in %d regions, and %d in rows, want %d in %d", c.query, v.Found, v.All, len(columns), cells, c.cells, c.columns)
			}
			if v.Shown != c.says || v.Hidden != c.hidden || (v.Clear != "") != c.clearing {
				t.Errorf("%q: says %q, %q, clear %q, want %q, %q", c.query, v.Shown, v.Hidden, v.Clear, c.says, c.hidden)
			}
		}
	})
}

// everyCell are the cells of all rows that are not empty.
func everyCell(v overviewView) (cells []cellView) {
	for _, r := range everyRow(v) {
		for _, c := range r.Cells {
			if !c.Empty {
				cells = append(cells, c)
			}
		}
	}
	return cells
}

func everyRow(v overviewView) (rows []rowView) {
	for _, g := range v.Groups {
		rows = append(rows, slices.Concat(g.Parts...)...)
	}
	return rows
}

// What cannot be understood is not taken for something else.
func TestBadFilters(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFake()
		f.now.Services[0].Provider = "fjordmail"
		s := newServer(t, f, nil)
		large := newServer(t, large(), nil)
		for path, want := range map[string]string{
			"/?state=dwon":                         "state &#34;dwon&#34;, expected one or several of down, partial, intermittent, slow, unknown, up, with commas",
			"/?state=down,up,bad":                  "state &#34;bad&#34;, expected one or several of",
			"/?region=mars":                        "region &#34;mars&#34; is not configured, expected one of eu-north, eu-central, us-east, asia-se, oceania",
			"/?region=..":                          "region &#34;..&#34;, expected 1 to 63 of a-z, 0-9 and -",
			"/?service=imapp":                      "service &#34;imapp&#34; is not configured, expected one of webmail, imap, smtp, mx, dav",
			"/?provider=other":                     "provider &#34;other&#34; is not configured, expected one of fjordmail",
			"/?group=colour":                       "group &#34;colour&#34;, expected one of service, region, kind, state, none",
			"/?sort=up":                            "sort &#34;up&#34;, expected one of worst, name, since",
			"/?regoin=oceania":                     "parameter &#34;regoin&#34; is not known, expected one of q, state, region, service, provider, group, sort",
			"/?state=down&state=up":                "parameter &#34;state&#34; is given 2 times, expected once",
			"/?q=" + strings.Repeat("%C3%A6", 201): "q has 201 characters, expected at most 200",
		} {
			if w := get(s, path); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), want) {
				t.Errorf("%.60s: got %d without %q", path, w.Code, want)
			}
		}
		if w := get(s, "/?q="+strings.Repeat("%C3%A6", 200)); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `No check matches. <a href="/">Show all 45 verdicts</a>`) {
			t.Errorf("200 characters: got %d", w.Code)
		}
		if w := get(s, "/?q=%22%3E%3Cscript%3E"); w.Code != 200 || strings.Count(w.Body.String(), "<script") != 1 || !strings.Contains(w.Body.String(), `value="&#34;&gt;&lt;script&gt;"`) {
			t.Errorf("got %d, or what was typed is not escaped", w.Code)
		}
		if w := get(large, "/?service=x"); !strings.Contains(w.Body.String(), "service-19 and 20 others") {
			t.Error("an error lists more than twenty services, or does not say that there are more")
		}
		if w := get(newServer(t, newFake(), nil), "/?provider=x"); !strings.Contains(w.Body.String(), "expected none: there are none") {
			t.Error("a fleet of one provider lists providers")
		}
	})
}

// The address of a filter gives the same filter, and is as short as can be.
func TestAddress(t *testing.T) {
	for query, want := range map[string]string{
		"":                                 "/",
		"group=service&sort=worst&q=+":     "/",
		"state=up+down":                    "/?state=up,down",
		"state=down,down":                  "/?state=down",
		"q=a%26b+c&group=kind":             "/?group=kind&q=a%26b+c",
		"provider=p&region=r&service=s":    "/?provider=p&region=r&service=s",
		"sort=since&group=none&state=slow": "/?group=none&sort=since&state=slow",
	} {
		f := filterOf(t, query)
		if got := f.address(); got != want {
			t.Errorf("%q: got %s, want %s", query, got, want)
		}
		_, again, _ := strings.Cut(f.address(), "?")
		if got := filterOf(t, again).address(); got != want {
			t.Errorf("%q: its address reads as %s, want %s", query, got, want)
		}
	}
	f := filterOf(t, "state=down&q=x")
	if got := f.toggled("up").address(); got != "/?q=x&state=down,up" {
		t.Errorf("one more: got %s", got)
	}
	if got := f.toggled("up").toggled("down").toggled("up").address(); got != "/?q=x" || f.address() != "/?q=x&state=down" {
		t.Errorf("none left: got %s, and the filter itself is %s", got, f.address())
	}
}

// The number beside a choice is that of the verdicts which it would show.
func TestCountsBesideChoices(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFake()
		s := newServer(t, f, nil)
		for _, query := range []string{"", "state=down", "region=oceania", "q=webmail", "service=imap&state=up,down"} {
			chosen := filterOf(t, query)
			v := shown(t, s, f.now, chosen)
			for _, c := range v.Chips {
				only := chosen
				if only.states = []string{c.Word}; c.Word == "all" {
					only.states = nil
				}
				if got := shown(t, s, f.now, only).Found; got != c.Count {
					t.Errorf("%q: %s counts %d, shows %d", query, c.Word, c.Count, got)
				}
			}
			for _, p := range v.Picks {
				for _, o := range p.Options {
					only := chosen
					switch p.Name {
					case "region":
						only.region = o.Value
					case "service":
						only.service = o.Value
					default:
						continue
					}
					if got := shown(t, s, f.now, only).Found; o.Value != "" && !strings.HasSuffix(o.Text, "("+strconv.Itoa(got)+")") {
						t.Errorf("%q: %s %s says %q, shows %d", query, p.Name, o.Value, o.Text, got)
					}
				}
			}
		}
	})
}

func TestGroups(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFake()
		s := newServer(t, f, nil)
		for query, want := range map[string]string{
			"":                      "IMAP: imap-login imap-starttls; Outgoing mail: submission smtps; Webmail: webmail-home webmail-login; Calendar: dav; Incoming mail: mx2 mx1",
			"sort=name":             "Calendar: dav; IMAP: imap-login imap-starttls; Incoming mail: mx1 mx2; Outgoing mail: smtps submission; Webmail: webmail-home webmail-login",
			"sort=since":            "Incoming mail: mx2 mx1; Calendar: dav; Webmail: webmail-home webmail-login; IMAP: imap-login imap-starttls; Outgoing mail: submission smtps",
			"group=kind":            "imap: imap-login imap-starttls; smtp: submission smtps mx2 mx1; https: webmail-home webmail-login dav",
			"group=state&sort=name": "down: imap-login imap-starttls smtps submission; intermittent: webmail-home webmail-login; slow: dav; unknown: mx2; up: mx1",
			"group=region&q=mx2":    "Southeast Asia: mx2; Northern Europe: mx2; Central Europe: mx2; Eastern US: mx2; Oceania: mx2",
			"group=none&q=imap":     ": imap-login imap-starttls",
			"group=state&q=nosuch":  "",
		} {
			var got []string
			for _, g := range shown(t, s, f.now, filterOf(t, query)).Groups {
				var ids []string
				for _, r := range slices.Concat(g.Parts...) {
					ids = append(ids, r.Check)
				}
				got = append(got, g.Name+": "+strings.Join(ids, " "))
			}
			if strings.Join(got, "; ") != want {
				t.Errorf("%q:\ngot  %s\nwant %s", query, strings.Join(got, "; "), want)
			}
		}
	})
}

// Of many rows those in trouble are shown; the others say what they hold.
func TestLargeFleetIsFolded(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := large()
		s := newServer(t, f, nil)
		v := shown(t, s, f.now, usualFilter())
		if len(v.Groups) != 40 || v.Width != "dense" {
			t.Fatalf("got %d groups, %q, want 40, dense", len(v.Groups), v.Width)
		}
		for i, g := range v.Groups {
			if g.Open != (i < 7) {
				t.Errorf("group %d, %s: open %v", i, g.Name, g.Open)
			}
		}
		if first := v.Groups[0]; first.Size != "5 checks" || len(first.Counts) != 2 || first.Counts[0].Text != "5 down" || first.Counts[1].Text != "45 up" {
			t.Errorf("got %+v", first)
		}
		// An operator who looks reads all of it after a change.
		if n := get(s, "/").Body.Len(); n > 1_300_000 {
			t.Errorf("the page has %d bytes, expected at most 1,300,000", n)
		}
		for _, g := range shown(t, s, f.now, filterOf(t, "q=check-3")).Groups {
			if g.Open {
				t.Errorf("50 rows: %s is open", g.Name)
			}
		}
		for _, g := range shown(t, s, f.now, filterOf(t, "q=check-39")).Groups {
			if !g.Open {
				t.Errorf("5 rows: %s is folded", g.Name)
			}
		}
		for _, g := range shown(t, s, f.now, filterOf(t, "group=none")).Groups {
			if len(g.Parts) != 5 || g.ID != "" {
				t.Errorf("all together: got %d parts, id %q, want 5 of 40 rows", len(g.Parts), g.ID)
			}
		}
	})
}

// Everything that the overview names can be gone to.
func TestOverviewLeads(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFake().withMail()
		r := troubled(f)
		s := newServer(t, f, withIncidents(r))
		incidentAt := "/incident/" + r.register.Cases[1].ID
		v := shown(t, s, f.now, usualFilter())
		if l := v.Troubles[0].Links; len(l) != 3 || l[0] != (linkView{incidentAt, "incident since 07:42:10"}) || l[1].Path != "/numbers/imap" || l[2].Path != "/numbers/smtp" {
			t.Errorf("the trouble leads to %v", l)
		}
		imap := v.Groups[0]
		if want := []linkView{{incidentAt, "incident since 07:42:10"}, {"/numbers/imap", "numbers"}, {"/?service=imap", "only this"}}; !slices.Equal(imap.Links, want) {
			t.Errorf("the service leads to %v, want %v", imap.Links, want)
		}
		row := imap.Parts[0][0]
		if len(row.Links) != 2 || row.Links[0].Path != incidentAt || !strings.HasPrefix(row.Links[1].Path, "#no_") || row.Links[1].Name != "1 to mend" {
			t.Errorf("the row leads to %v", row.Links)
		}
		if row.Cells[4].Link != "/check/imap-login#r-oceania" {
			t.Errorf("the cell leads to %s", row.Cells[4].Link)
		}
		if v.Heads[4] != (headView{"oceania", "Oceania", "3 probes", "/?region=oceania"}) {
			t.Errorf("the column leads to %v", v.Heads[4])
		}
		if one := get(s, "/?region=oceania").Body.String(); !strings.Contains(one, `<table class="mx heads one" aria-hidden="true">`) || !strings.Contains(one, `>3 probes</a>`) {
			t.Error("one column alone has no head")
		}
		page := get(s, "/").Body.String()
		for _, link := range []string{incidentAt, "/numbers/imap", "/?service=imap", "/probe/fra-2", "/probes#r-oceania", "/check/imap-login#r-oceania"} {
			path, fragment, _ := strings.Cut(link, "#")
			if !strings.Contains(page, `href="`+link+`"`) {
				t.Errorf("the page does not lead to %s", link)
			}
			if w := get(s, path); w.Code != 200 || fragment != "" && !strings.Contains(w.Body.String(), `id="`+fragment+`"`) {
				t.Errorf("%s is not there: %d", link, w.Code)
			}
		}
		if to := strings.TrimPrefix(row.Links[1].Path, "#"); !strings.Contains(page, `<li id="`+to+`">`) {
			t.Errorf("there is no notice %s", to)
		}
		if w := get(s, "/probes"); !strings.Contains(w.Body.String(), `id="r-oceania"`) {
			t.Error("the probes of a region cannot be gone to")
		}
		r.fail = errBroken
		if w := get(s, "/"); w.Code != http.StatusInternalServerError && w.Code != http.StatusServiceUnavailable {
			t.Errorf("without incidents the page says nothing of it: %d", w.Code)
		}
	})
}

// A picture is drawn once as long as the history that it shows is the same.
func TestPicturesAreDrawnOnce(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFake()
		s := newServer(t, f, nil)
		get(s, "/?state=down")
		m, err := s.readMatrix(t.Context(), f.now.At)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(m.pictures.of); n != 4 {
			t.Errorf("four cells are shown: %d pictures drawn", n)
		}
		get(s, "/")
		get(s, "/")
		if n := len(m.pictures.of); n != 45 || f.calls["matrix"] != 1 {
			t.Errorf("got %d pictures of %d readings, want 45 of one", n, f.calls["matrix"])
		}
		time.Sleep(4 * time.Second)
		get(s, "/")
		if again, _ := s.readMatrix(t.Context(), f.now.At); again.pictures == m.pictures || f.calls["matrix"] != 2 {
			t.Errorf("new history shows old pictures, after %d readings", f.calls["matrix"])
		}
	})
}

// A verdict that is unknown and says why is trouble that must not be hidden; before
// anything was asked it is none.
func TestRemainder(t *testing.T) {
	unknown := func(reason string) []cell {
		return []cell{{check: checks.Target{ID: "a"}, worst: worst{state: verdict.Unknown, reason: reason}}}
	}
	if _, hidden := remainder(unknown("2 probes are needed"), nil); hidden != "trouble of 1 check is hidden" {
		t.Errorf("got %q", hidden)
	}
	if _, hidden := remainder(unknown(""), nil); hidden != "" {
		t.Errorf("got %q, want nothing", hidden)
	}
}

// The scripts stay small, and cannot end the element in which they stand.
func TestScript(t *testing.T) {
	for script, most := range map[string]int{overviewJS: 6000, graphsJS: 8000} {
		if n := len(script); n >= most || strings.Contains(script, "</") || strings.Contains(script, "<!--") {
			t.Errorf("the script has %d bytes, expected fewer than %d, or holds a tag", n, most)
		}
	}
}

// Any query is either refused in words or has an address that says the same.
func FuzzFilter(f *testing.F) {
	for _, query := range []string{"", "q=imap+oceania&state=down,up", "state=,%20,&group=none", "region=eu-north&sort=since&q=%00%ff", "service=..&provider=p", "q=a;b&state=partial&x=1"} {
		f.Add(query)
	}
	f.Fuzz(func(t *testing.T, query string) {
		values, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		q := ask(values)
		first := q.filter()
		if q.err != nil {
			if !strings.Contains(q.err.Error(), "expected") {
				t.Fatalf("%q: %v does not say what is expected", query, q.err)
			}
			return
		}
		_, address, _ := strings.Cut(first.address(), "?")
		values, err = url.ParseQuery(address)
		if err != nil {
			t.Fatalf("%q: its address %s: %v", query, address, err)
		}
		again := ask(values)
		if second := again.filter(); again.err != nil || !reflect.DeepEqual(first, second) {
			t.Fatalf("%q: got %+v, its address %s reads as %+v, %v", query, first, address, second, again.err)
		}
	})
}
