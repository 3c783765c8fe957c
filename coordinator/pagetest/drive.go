package pagetest

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// The keys that have no character, for Press.
const (
	// Enter opens, Escape leaves, Backspace takes the last character away.
	Enter     = kb.Enter
	Escape    = kb.Escape
	Backspace = kb.Backspace
	// ArrowUp and its siblings move.
	ArrowUp    = kb.ArrowUp
	ArrowDown  = kb.ArrowDown
	ArrowLeft  = kb.ArrowLeft
	ArrowRight = kb.ArrowRight
)

// Visit is a page that a test opened and goes on to use.
type Visit struct {
	b *Browser
	t *testing.T
	// errors returns what the page has complained about until now.
	errors func() []string
}

// Visit opens a page of the given width in CSS pixels.
func (b *Browser) Visit(t *testing.T, url string, width int64) *Visit {
	t.Helper()
	// The errors are gathered as long as the test runs.
	ctx, stop := context.WithCancel(b.ctx)
	t.Cleanup(stop)
	v := &Visit{b, t, collect(ctx)}
	v.run("open "+url, emulation.SetDeviceMetricsOverride(width, 900, 1, false), chromedp.Navigate(url))
	return v
}

// WithoutScript makes the browser run no script of a page until the test ends.
func (b *Browser) WithoutScript(t *testing.T) {
	t.Helper()
	v := &Visit{b: b, t: t}
	v.run("switch scripts off", emulation.SetScriptExecutionDisabled(true))
	t.Cleanup(func() { v.run("switch scripts on", emulation.SetScriptExecutionDisabled(false)) })
}

// Press presses keys where the focus is: characters, or those that have names here.
func (v *Visit) Press(keys string) {
	v.t.Helper()
	var events []chromedp.Action
	for _, key := range keys {
		all := kb.Encode(key)
		down, up := all[0], all[len(all)-1]
		// As a keyboard does, and unlike chromedp.KeyEvent: the character comes of the key,
		// so that a page which takes the key for itself gets no character.
		if len(all) == 3 {
			down.Type, down.Text, down.UnmodifiedText = input.KeyDown, all[1].Text, all[1].UnmodifiedText
		}
		events = append(events, down, up)
	}
	v.run("press "+strconv.Quote(keys), events...)
}

// Click clicks on the element that a selector names.
func (v *Visit) Click(selector string) {
	v.t.Helper()
	v.run("click "+selector, chromedp.Click(selector, chromedp.ByQuery))
}

// Follow clicks on the element that a selector names and waits for the page to which
// that leads. It returns its status.
func (v *Visit) Follow(selector string) int {
	v.t.Helper()
	ctx, stop := context.WithTimeout(v.b.ctx, visitTimeout)
	defer stop()
	answer, err := chromedp.RunResponse(ctx, chromedp.Click(selector, chromedp.ByQuery))
	if err != nil {
		v.t.Fatalf("follow %s: %v", selector, err)
	}
	return int(answer.Status)
}

// Read returns what an expression of JavaScript comes to.
func Read[T any](v *Visit, expression string) (value T) {
	v.t.Helper()
	v.run("read "+expression, chromedp.Evaluate(expression, &value))
	return value
}

// untilTimeout bounds one question of Until, which asks again until visitTimeout.
const untilTimeout = 3 * time.Second

// Until waits for an expression of JavaScript to hold, also on the page to which this one
// is left.
func (v *Visit) Until(expression string) {
	v.t.Helper()
	ctx, stop := context.WithTimeout(v.b.ctx, visitTimeout)
	defer stop()
	wait := chromedp.Evaluate(`new Promise(done => { const look = () => (`+expression+`) ? done(true) : setTimeout(look, 20); look() })`, nil,
		func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) })
	// A page that is left may take the answer with it: then it is asked for again.
	once := func() error {
		ctx, stop := context.WithTimeout(ctx, untilTimeout)
		defer stop()
		return chromedp.Run(ctx, wait)
	}
	err := once()
	for err != nil && ctx.Err() == nil && (errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "navigated")) {
		err = once()
	}
	if err != nil {
		v.t.Fatalf("wait until %s: %v", expression, err)
	}
}

// Keep writes a screenshot of the window where somebody wants to look at it.
func (v *Visit) Keep(name string) {
	v.t.Helper()
	var shot []byte
	v.run("take a screenshot", chromedp.CaptureScreenshot(&shot))
	keep(v.t, name+".png", shot)
}

// Quiet fails the test if the page has written an error to the console, or scrolls
// sideways.
func (v *Visit) Quiet() {
	v.t.Helper()
	for _, e := range v.errors() {
		v.t.Errorf("console: %s", e)
	}
	if n := Read[float64](v, `document.documentElement.scrollWidth - document.documentElement.clientWidth`); n > 0 {
		v.t.Errorf("the page is %v px wider than the window", n)
	}
}

func (v *Visit) run(what string, actions ...chromedp.Action) {
	v.t.Helper()
	ctx, stop := context.WithTimeout(v.b.ctx, visitTimeout)
	defer stop()
	if err := chromedp.Run(ctx, actions...); err != nil {
		v.t.Fatalf("%s: %v", what, err)
	}
}

// Point moves the pointer over the element that a selector names, to the given part of
// its width from the left, 0 to 1.
func (v *Visit) Point(selector string, part float64) {
	v.t.Helper()
	x, y := v.place(selector, part)
	v.run("point at "+selector, input.DispatchMouseEvent(input.MouseMoved, x, y))
}

// Drag presses the pointer on an element and lets it go elsewhere on it, at parts of its
// width from the left.
func (v *Visit) Drag(selector string, from, to float64) {
	v.t.Helper()
	x, y := v.place(selector, from)
	end, _ := v.place(selector, to)
	v.run("drag over "+selector,
		input.DispatchMouseEvent(input.MouseMoved, x, y),
		input.DispatchMouseEvent(input.MousePressed, x, y).WithButton(input.Left).WithButtons(1).WithClickCount(1),
		input.DispatchMouseEvent(input.MouseMoved, (x+end)/2, y).WithButton(input.Left).WithButtons(1),
		input.DispatchMouseEvent(input.MouseMoved, end, y).WithButton(input.Left).WithButtons(1),
		input.DispatchMouseEvent(input.MouseReleased, end, y).WithButton(input.Left).WithClickCount(1),
	)
}

// place is where a part of the width of an element stands in the window, in the middle of
// its height, after it was brought into sight.
func (v *Visit) place(selector string, part float64) (x, y float64) {
	v.t.Helper()
	box := Read[[]float64](v, `(e => { e.scrollIntoView({block: "center", behavior: "instant"}); const b = e.getBoundingClientRect(); return [b.left, b.top, b.width, b.height] })(document.querySelector(`+strconv.Quote(selector)+`))`)
	return box[0] + part*box[2], box[1] + box[3]/2
}
