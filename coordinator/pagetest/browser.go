// Package pagetest looks at pages in a real browser. Only tests use it.
//
// A test that needs the browser is skipped by name where there is no chromium,
// unless VARDE_REQUIRE names it ("chromium", or a list with commas). axe-core is
// read from the file that VARDE_AXE names and treated in the same way under the
// name "axe". Screenshots go to the folder that VARDE_SCREENSHOTS names.
package pagetest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// Browser is a running chromium.
type Browser struct {
	ctx context.Context
	axe string
}

// visitTimeout bounds one visit, axe included; it is long because machines that
// test are busy.
const visitTimeout = 60 * time.Second

// Start starts chromium for the length of the test, or skips the test.
func Start(t *testing.T) *Browser {
	t.Helper()
	path := find()
	if path == "" {
		miss(t, "chromium", "chromium is not installed (apt-get install chromium)")
	}
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()),
		chromedp.WSURLReadTimeout(2 * time.Minute), // beside the other tests a start can take longer than the default of 20 s
	}
	for _, flag := range []string{
		"headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking",
		"disable-component-update", "disable-sync", "hide-scrollbars", "disable-renderer-backgrounding",
		"disable-background-timer-throttling", "disable-backgrounding-occluded-windows",
	} {
		options = append(options, chromedp.Flag(flag, true))
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancel := chromedp.NewContext(allocator, chromedp.WithErrorf(complain))
	t.Cleanup(func() {
		// Cancel waits for the process, so that its folder can be removed.
		_ = chromedp.Cancel(ctx)
		cancel()
		stop()
	})
	// One tab is used for all visits: chromium draws only the tab in front.
	if err := chromedp.Run(ctx, log.Enable()); err != nil {
		t.Fatalf("start chromium: %v", err)
	}
	return &Browser{ctx, axeScript(t)}
}

// complain writes what chromedp could not do. Events that are younger than it are none
// of that.
func complain(format string, args ...any) {
	if words := fmt.Sprintf(format, args...); !strings.HasPrefix(words, "unhandled node event") {
		fmt.Fprintln(os.Stderr, "chromedp:", words)
	}
}

func find() string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// miss skips the test, or fails it where the missing thing is required.
func miss(t *testing.T, name, words string) {
	t.Helper()
	if slices.Contains(strings.Split(os.Getenv("VARDE_REQUIRE"), ","), name) {
		t.Fatalf("%s is required: %s", name, words)
	}
	t.Skipf("%s: %s", name, words)
}

func axeScript(t *testing.T) string {
	t.Helper()
	path := os.Getenv("VARDE_AXE")
	if path == "" {
		return ""
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("read axe-core: %v", err)
	}
	return string(b)
}

// View is one way to look at a page.
type View struct {
	// Name of the page, for the names of subtests and screenshots.
	Name, URL string
}

// Look opens the page narrow and wide, light and dark, and fails the test if
// it scrolls sideways, writes an error to the console, or if axe-core finds
// anything.
func (b *Browser) Look(t *testing.T, v View) {
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int64{360, 1200} {
			t.Run(fmt.Sprintf("%s-%s-%d", v.Name, scheme, width), func(t *testing.T) { b.look(t, v, scheme, width) })
		}
	}
}

func (b *Browser) look(t *testing.T, v View, scheme string, width int64) {
	ctx, stop := context.WithTimeout(b.ctx, visitTimeout)
	defer stop()
	errs := collect(ctx)
	var sideways float64
	var shot []byte
	for _, step := range []struct {
		what   string
		action chromedp.Action
	}{
		{"clear the tab", chromedp.Navigate("about:blank")},
		{"set the colour scheme", emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}})},
		{"set the width", emulation.SetDeviceMetricsOverride(width, 900, 1, false)},
		{"open the page", chromedp.Navigate(v.URL)},
		{"measure the width", chromedp.Evaluate(`document.documentElement.scrollWidth - document.documentElement.clientWidth`, &sideways)},
		{"take a screenshot", chromedp.FullScreenshot(&shot, 100)},
	} {
		if err := chromedp.Run(ctx, step.action); err != nil {
			t.Fatalf("%s, %s: %v", v.URL, step.what, err)
		}
	}
	keep(t, fmt.Sprintf("%s-%s-%d.png", v.Name, scheme, width), shot)
	if sideways > 0 {
		t.Errorf("%s is %v px wider than %d px", v.Name, sideways, width)
	}
	for _, e := range errs() {
		t.Errorf("console: %s", e)
	}
	t.Run("axe", func(t *testing.T) { b.axeCheck(ctx, t) })
}

// A4 between margins of 14 mm, in pixels of 1/96 inch (CSS Values, section 6.2).
const paperWidth = (210 - 2*14) * 960 / 254

// Print prints the page on paper of its own choice, and fails the test if something is
// wider than A4 between its margins, where a printer would cut it off.
func (b *Browser) Print(t *testing.T, v View) {
	t.Run(v.Name+"-print", func(t *testing.T) {
		ctx, stop := context.WithTimeout(b.ctx, visitTimeout)
		defer stop()
		var sideways float64
		var paper []byte
		err := chromedp.Run(ctx,
			chromedp.Navigate("about:blank"), emulation.SetEmulatedMedia().WithMedia("print"),
			emulation.SetDeviceMetricsOverride(paperWidth, 1000, 1, false), chromedp.Navigate(v.URL),
			chromedp.Evaluate(`document.documentElement.scrollWidth - document.documentElement.clientWidth`, &sideways),
			chromedp.ActionFunc(func(ctx context.Context) (err error) {
				paper, _, err = page.PrintToPDF().WithPreferCSSPageSize(true).WithPrintBackground(true).Do(ctx)
				return err
			}),
			emulation.SetEmulatedMedia(),
		)
		if err != nil {
			t.Fatalf("print %s: %v", v.URL, err)
		}
		keep(t, v.Name+".pdf", paper)
		if sideways > 0 {
			t.Errorf("%s is %v px wider than the paper", v.Name, sideways)
		}
		if !bytes.HasPrefix(paper, []byte("%PDF-")) {
			t.Errorf("%s: got %.20q, want a PDF", v.Name, paper)
		}
	})
}

// Submit opens a page, types text into the field that the selector names and
// presses Enter. It returns the status and the heading of the page that follows.
func (b *Browser) Submit(t *testing.T, url, field, text string) (status int, heading string) {
	t.Helper()
	ctx, stop := context.WithTimeout(b.ctx, visitTimeout)
	defer stop()
	if err := chromedp.Run(ctx, chromedp.Navigate(url)); err != nil {
		t.Fatalf("open %s: %v", url, err)
	}
	answer, err := chromedp.RunResponse(ctx, chromedp.SendKeys(field, text+kb.Enter, chromedp.ByQuery))
	if err != nil {
		t.Fatalf("%s, submit %s: %v", url, field, err)
	}
	if err := chromedp.Run(ctx, chromedp.Text("h1", &heading, chromedp.ByQuery)); err != nil {
		t.Fatalf("%s, read heading: %v", answer.URL, err)
	}
	return int(answer.Status), heading
}

// collect gathers what the page complains about, refused styles included.
func collect(ctx context.Context) func() []string {
	var mu sync.Mutex
	var errs []string
	add := func(s string) {
		mu.Lock()
		defer mu.Unlock()
		errs = append(errs, s)
	}
	chromedp.ListenTarget(ctx, func(event any) {
		switch e := event.(type) {
		case *log.EventEntryAdded:
			if e.Entry.Level == log.LevelError || e.Entry.Level == log.LevelWarning {
				add(e.Entry.Text + " " + e.Entry.URL)
			}
		case *runtime.EventConsoleAPICalled:
			if e.Type == runtime.APITypeError {
				add(fmt.Sprintf("%v", e.Args))
			}
		case *runtime.EventExceptionThrown:
			add(e.ExceptionDetails.Error())
		}
	})
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(errs)
	}
}

// violation is what axe-core says of one rule.
type violation struct {
	ID     string `json:"id"`
	Impact string `json:"impact"`
	Help   string `json:"help"`
	Nodes  []struct {
		HTML    string `json:"html"`
		Summary string `json:"failureSummary"`
	} `json:"nodes"`
}

func (b *Browser) axeCheck(ctx context.Context, t *testing.T) {
	if b.axe == "" {
		miss(t, "axe", "VARDE_AXE does not name a file axe.min.js (npm install axe-core)")
	}
	var out string
	err := chromedp.Run(ctx,
		chromedp.Evaluate(b.axe+"; 0", nil),
		chromedp.Evaluate(`axe.run({resultTypes: ['violations'], selectors: false}).then(r => JSON.stringify(r.violations))`, &out,
			func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }),
	)
	if err != nil {
		t.Fatalf("run axe-core: %v", err)
	}
	var found []violation
	if err := json.Unmarshal([]byte(out), &found); err != nil {
		t.Fatalf("read axe-core's answer: %v", err)
	}
	for _, v := range found {
		for _, n := range v.Nodes {
			t.Errorf("axe %s (%s): %s\n%s\n%s", v.ID, v.Impact, v.Help, n.HTML, n.Summary)
		}
	}
}

// keep writes a screenshot, or what was printed, where somebody wants to look at it.
func keep(t *testing.T, name string, picture []byte) {
	t.Helper()
	dir := os.Getenv("VARDE_SCREENSHOTS")
	if dir == "" {
		return
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatalf("make folder for screenshots: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), picture, 0o644); err != nil {
		t.Fatalf("write screenshot: %v", err)
	}
}
