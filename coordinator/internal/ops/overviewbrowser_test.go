package ops

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"varde/checks"
	"varde/coordinator/internal/verdict"
	"varde/coordinator/pagetest"
)

// serve serves the pages of a fake over a real connection.
func serve(t *testing.T, s *Server) string {
	t.Helper()
	return served(t, s).URL
}

// served is the server of it, which a test may cut off.
func served(t *testing.T, h http.Handler) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(h)
	// The overview listens to the stream until it is closed.
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return server
}

// changing is a present that changes while somebody looks at it.
type changing struct {
	mu  sync.Mutex // protects now
	now Now
}

func (c *changing) Now(context.Context) (Now, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now, nil
}

// turn changes the verdicts of one check in one region, and tells the server.
func (c *changing) turn(s *Server, check, region string, to verdict.State) {
	c.mu.Lock()
	c.now.Verdicts = slices.Clone(c.now.Verdicts)
	var turned []Verdict
	for i, v := range c.now.Verdicts {
		if v.Check == check && v.Region == region {
			c.now.Verdicts[i].State, c.now.Verdicts[i].Reason = to, "3 of 3 probes"
			turned = append(turned, c.now.Verdicts[i])
		}
	}
	c.mu.Unlock()
	for _, v := range turned {
		s.PublishVerdict(v)
	}
}

// What the tests ask of the page.
const (
	// The focus leaves a dialog a moment after it is shut.
	isShut   = `!document.getElementById("keys").open && !document.activeElement.closest("dialog")`
	isLive   = `document.getElementById("live").textContent === "live"`
	rows     = `document.querySelectorAll("#matrix tbody tr").length`
	focus    = `(document.activeElement.id || document.activeElement.textContent).trim()`
	address  = `location.pathname + location.search`
	focusTop = `Math.round(document.activeElement.getBoundingClientRect().top)`
)

// expect compares what an expression comes to.
func expect[T comparable](t *testing.T, v *pagetest.Visit, what, expression string, want T) {
	t.Helper()
	if got := pagetest.Read[T](v, expression); got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func TestOverviewByKeys(t *testing.T) {
	b := pagetest.Start(t)
	url := serve(t, newServer(t, newFake().withMail(), nil))
	v := b.Visit(t, url+"/", 1200)
	v.Until(isLive)
	v.Press("/")
	expect(t, v, "the slash leads to the search", focus, "q")
	v.Press("imag")
	v.Until(`location.search === "?q=imag"`)
	expect(t, v, "letters are text where one types", `document.getElementById("q").value`, "imag")
	expect(t, v, "nothing is said to match", `document.querySelector("#matrix .none").textContent.trim()`, "No check matches. Show all 47 verdicts")
	v.Press(pagetest.Backspace + "p")
	v.Until(`location.search === "?q=imap"`)
	expect(t, v, "rows of what was typed", rows, 2)
	expect(t, v, "the search keeps the focus", focus, "q")
	expect(t, v, "trouble is not hidden silently", `document.getElementById("sum").textContent`, "2 of 11 checks, 10 of 47 verdicts; trouble of 7 checks is hidden")
	v.Press(pagetest.Escape)
	expect(t, v, "Esc leaves the search", `document.activeElement === document.body`, true)
	expect(t, v, "what was typed stays", `document.getElementById("q").value`, "imap")
	v.Press("j")
	expect(t, v, "the first group", `document.activeElement.localName`, "summary")
	v.Press("jj")
	expect(t, v, "the second row", focus, "imap-starttls")
	v.Press("k")
	expect(t, v, "the first row", focus, "imap-login")
	v.Press(pagetest.ArrowRight + pagetest.ArrowRight)
	expect(t, v, "a cell beside", `document.activeElement.getAttribute("href")`, "/check/imap-login#r-eu-central")
	v.Press(pagetest.ArrowLeft + pagetest.ArrowDown)
	expect(t, v, "the row below", focus, "imap-starttls")
	v.Press(pagetest.ArrowUp + pagetest.ArrowUp + pagetest.ArrowUp)
	expect(t, v, "up to the group and no further", `document.activeElement.localName`, "summary")
	v.Keep("ops-overview-focus")
	v.Press(pagetest.Enter)
	v.Until(`!document.querySelector("#matrix details").open`)
	v.Press("g")
	v.Until(`location.search === "?q=imap&group=region"`)
	expect(t, v, "the choice says so", `document.getElementById("by-group").value`, "region")
	v.Press("gg")
	v.Until(`location.search === "?q=imap&group=state"`)
	v.Press("t")
	v.Until(`location.search === "?q=imap&group=state&state=down,intermittent,slow,unknown"`)
	expect(t, v, "only trouble", rows, 2)
	v.Press("t")
	v.Until(`location.search === "?q=imap&group=state"`)
	v.Press("?")
	expect(t, v, "the keys are shown", `document.getElementById("keys").open`, true)
	v.Keep("ops-overview-keys")
	v.Press("g" + pagetest.Escape)
	v.Until(isShut)
	expect(t, v, "Esc closes them, and they were not pressed", `!document.getElementById("keys").open && location.search`, "?q=imap&group=state")
	v.Press("?")
	v.Click("#on")
	v.Press(pagetest.Escape)
	v.Until(isShut)
	v.Press("t?")
	expect(t, v, "who wants no keys has none", `document.getElementById("keys").open || location.search`, "?q=imap&group=state")
	pagetest.Read[bool](v, `document.getElementById("on").click(), true`)
	v.Press("j" + "j")
	v.Until(focus + ` === "imap-login"`)
	v.Press(pagetest.Enter)
	v.Until(`location.pathname === "/check/imap-login"`)
	v.Quiet()
}

// The form and the list of states work in place, and the address says what is shown.
func TestOverviewByPointer(t *testing.T) {
	b := pagetest.Start(t)
	url := serve(t, newServer(t, newFake().withMail(), nil))
	v := b.Visit(t, url+"/", 1200)
	v.Until(isLive)
	pagetest.Read[int](v, `window.same = 1`)
	v.Click("#is-down")
	v.Until(`location.search === "?state=down"`)
	v.Click("#is-slow")
	v.Until(`location.search === "?state=down,slow"`)
	expect(t, v, "rows of two states", rows, 6)
	pagetest.Read[bool](v, `{ const s = document.getElementById("by-region"); s.value = "oceania"; s.dispatchEvent(new Event("input", {bubbles: true})) }`)
	v.Until(`location.search === "?state=down,slow&region=oceania"`)
	expect(t, v, "rows of one region", rows, 4)
	v.Click("#ways a:last-child")
	v.Until(`location.search === ""`)
	expect(t, v, "nothing is hidden any more", `document.getElementById("ways").textContent.trim()`, "")
	expect(t, v, "it is the same document", `window.same`, 1)
	v.Click(`#matrix a[href="/check/imap-login#r-oceania"]`)
	v.Until(`location.hash === "#r-oceania" && document.querySelector("#r-oceania")`)
	v.Quiet()
}

// A change is shown where one looks, and moves nothing else.
func TestOverviewLives(t *testing.T) {
	b := pagetest.Start(t)
	f := large()
	live := &changing{now: f.now}
	s := newServer(t, f, func(o *Options) { o.Live = live })
	v := b.Visit(t, serve(t, s)+"/?region=eu-north", 1200)
	v.Until(isLive)
	v.Press("/check-1")
	v.Until(`location.search === "?region=eu-north&q=check-1"`)
	t.Logf("the server's answer was shown %.0f ms after it was asked for", pagetest.Read[float64](v, `performance.now() - performance.getEntriesByType("resource").at(-1).startTime`))
	v.Click("#grp-service-service-12 summary") // 50 rows are folded
	v.Press(pagetest.Escape + "j")
	pagetest.Read[bool](v, `document.querySelector("#grp-service-service-12 tbody th a").focus(), true`)
	top := pagetest.Read[int](v, focusTop)
	// It comes to stand on top of all.
	live.turn(s, "check-15-mx", "eu-north", verdict.Down)
	v.Until(`document.querySelector("#grp-service-service-15 summary").textContent.includes("1 down")`)
	expect(t, v, "the focus stays", focus, "check-12-login")
	v.Until(fmt.Sprintf(`Math.abs(%s - %d) <= 1`, focusTop, top)) // it does not move
	expect(t, v, "what was unfolded stays so", `document.querySelector("#grp-service-service-12").open`, true)
	expect(t, v, "trouble is unfolded", `document.querySelector("#grp-service-service-15").open`, true)
	expect(t, v, "trouble stands first", `document.querySelector("#matrix details").id`, "grp-service-service-15")
	expect(t, v, "the filter stays", address, "/?region=eu-north&q=check-1")
	expect(t, v, "what was typed stays", `document.getElementById("q").value`, "check-1")
	// What somebody folded stays folded, and says what it holds.
	v.Click("#grp-service-service-15 summary")
	live.turn(s, "check-15-web", "eu-north", verdict.Down)
	v.Until(`document.querySelector("#grp-service-service-15 summary").textContent.includes("2 down")`)
	expect(t, v, "what was folded stays so", `document.querySelector("#grp-service-service-15").open`, false)
	v.Quiet()
}

// A page that hears nothing says so, and reads again what it has missed.
func TestOverviewSaysWhenItIsNotLive(t *testing.T) {
	b := pagetest.Start(t)
	f := newFake()
	live := &changing{now: f.now}
	s := newServer(t, f, func(o *Options) { o.Live = live })
	server := served(t, s)
	v := b.Visit(t, server.URL+"/", 1200)
	v.Until(isLive)
	expect(t, v, "dav is up", `document.querySelector("a[href='/check/dav#r-oceania']").textContent.includes("up")`, true)
	server.CloseClientConnections()
	v.Until(`document.getElementById("live").textContent === "not live: connection lost"`)
	// Nobody hears this: a browser connects again after 3 s.
	live.turn(s, "dav", "oceania", verdict.Down)
	v.Until(isLive)
	v.Until(`document.querySelector("a[href='/check/dav#r-oceania']").textContent.includes("down")`)
}

// Without script the form and the links do all of it.
func TestOverviewWithoutScript(t *testing.T) {
	b := pagetest.Start(t)
	url := serve(t, newServer(t, newFake().withMail(), nil))
	b.WithoutScript(t)
	v := b.Visit(t, url+"/?group=kind", 1200)
	expect(t, v, "no script has run", `document.getElementById("help").hidden && document.getElementById("live").textContent`, "")
	if status := v.Follow("#is-down"); status != 200 {
		t.Errorf("down: got %d", status)
	}
	expect(t, v, "rows that are down", rows, 4)
	if status := v.Follow("#choices button"); status != 200 {
		t.Errorf("the form: got %d", status)
	}
	expect(t, v, "the form keeps what was chosen", rows, 4)
	if got := pagetest.Read[string](v, address); !strings.Contains(got, "group=kind") || !strings.Contains(got, "state=down") {
		t.Errorf("the form leads to %s", got)
	}
	if status, heading := b.Submit(t, pagetest.Read[string](v, `location.href`), "#q", "submission"); status != 200 || !strings.Contains(heading, "of 47 verdicts up") {
		t.Errorf("the search: got %d, %q", status, heading)
	}
	expect(t, v, "a row that was looked for", rows, 1)
	if status := v.Follow("#matrix tbody td a"); status != 200 {
		t.Errorf("a cell: got %d", status)
	}
	expect(t, v, "a cell leads to its region", address+` + location.hash`, "/check/submission#r-oceania")
}

// TestLargeOverviewInABrowser looks at 200 checks in 10 regions, and at one in 20.
func TestLargeOverviewInABrowser(t *testing.T) {
	b := pagetest.Start(t)
	s := newServer(t, large(), withIncidents(troubled(newFake())))
	url := serve(t, s)
	for _, x := range []struct {
		name, path string
		width      int64
	}{
		{"large-1200", "/", 1200},
		{"large-1760", "/", 1760},
		{"large-1000", "/", 1000},
		{"large-360", "/", 360},
		{"large-flat", "/?group=none", 1200},
		{"large-region", "/?group=region", 1200},
		{"large-state", "/?group=state&sort=since", 1200},
		{"large-one", "/?region=oceania", 1200},
		{"large-none", "/?q=nosuch", 1200},
		{"large-down", "/?state=down", 1200},
	} {
		t.Run(x.name, func(t *testing.T) {
			v := b.Visit(t, url+x.path, x.width)
			v.Until(isLive)
			pagetest.Read[int](v, `document.getElementById("filter").scrollIntoView(), 0`)
			timing := `performance.getEntriesByType("navigation")[0]`
			t.Logf("%d kB, complete after %.0f ms, of which %.0f ms to answer", pagetest.Read[int](v, `Math.round(`+timing+`.decodedBodySize / 1000)`),
				pagetest.Read[float64](v, timing+`.loadEventEnd`), pagetest.Read[float64](v, timing+`.responseEnd`))
			v.Keep(x.name)
			pagetest.Read[int](v, `document.querySelector("#rest").scrollIntoView(false), 0`)
			v.Keep(x.name + "-end")
			v.Quiet()
		})
	}
	b.Look(t, pagetest.View{Name: "large", URL: url + "/?q=check-00"})
	many := newFake()
	for i := range 15 {
		r := Region{ID: "r-" + string(rune('a'+i)), Name: "Region " + string(rune('A'+i)), Newest: morning}
		many.now.Regions = append(many.now.Regions, r)
		for _, c := range many.now.Checks {
			many.now.Verdicts = append(many.now.Verdicts, many.verdict(c, r.ID, checks.IPv4))
		}
	}
	v := b.Visit(t, serve(t, newServer(t, many, nil))+"/", 1200)
	v.Until(isLive)
	pagetest.Read[int](v, `document.querySelector(".many").scrollTo(400, 100), document.querySelector(".many").scrollIntoView(), 0`)
	v.Keep("ops-overview-many")
	v.Quiet()
}
