package confirm_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"varde/checks"
	"varde/probe/internal/confirm"
	"varde/proto/wire"
)

var imap = confirm.Series{Check: "imap", Family: checks.IPv4}

// bursts is osl-1 among others of its region, three of whom it asks.
func bursts(neighbours ...string) *confirm.Bursts { return asking(3, neighbours...) }

// asking is the same for another number of those who are asked.
func asking(others int, neighbours ...string) *confirm.Bursts {
	return confirm.New(confirm.Options{
		Self: "osl-1", Neighbours: func(string) []string { return append(neighbours, "osl-1") }, Others: func(string) int { return others },
		Enrolled: func(p string) bool { return slices.Contains(neighbours, p) }, Bound: func() int { return 8 },
	})
}

// begin begins a burst, and says in one hint who is asked.
func begin(b *confirm.Bursts, s confirm.Series, login bool) (all wire.Hint, ok bool) {
	hints, ok := b.Begin(s, login)
	for i, h := range hints {
		if i == 0 {
			all = h
			continue
		}
		all.Asked = append(slices.Clone(all.Asked), h.Asked...)
	}
	return all, ok
}

// hint is osl-2 asking osl-1 now.
func hint(s confirm.Series, asked ...string) wire.Hint {
	return wire.Hint{Check: s.Check, Family: s.Family, Asker: "osl-2", Asked: asked, At: time.Now(), ID: 1}
}

// TestBurst: a failure asks three others, and none for 20 s after it.
func TestBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := bursts("osl-2", "osl-3", "osl-4", "osl-5", "osl-6")
		h, ok := begin(b, imap, false)
		if !ok || len(h.Asked) != 3 || slices.Contains(h.Asked, "osl-1") || h.Asker != "osl-1" || h.Check != "imap" || h.Login || !h.At.Equal(time.Now()) {
			t.Fatalf("got %+v, %t; want three others asked", h, ok)
		}
		time.Sleep(confirm.Rest - time.Nanosecond)
		if _, ok := begin(b, imap, false); ok {
			t.Error("a second burst within 20 s")
		}
		if _, ok := begin(b, confirm.Series{Check: "imap", Family: checks.IPv6}, false); !ok {
			t.Error("the other family has to wait")
		}
		time.Sleep(time.Nanosecond)
		if h, ok := begin(b, imap, true); !ok || len(h.Asked) != 1 || !h.Login {
			t.Errorf("a login failed: got %+v, %t; want one other asked", h, ok)
		}
		if got := b.Counts().Asked; got != 7 {
			t.Errorf("asked %d in all, want 7", got)
		}
		if h, ok := begin(bursts(), imap, false); !ok || len(h.Asked) != 0 {
			t.Errorf("alone: got %+v, %t; want a burst that asks nobody", h, ok)
		}
	})
}

// TestAsManyAreAskedAsThePlanSays, in hints that fit a datagram, each of which
// asks others; of a login that failed one at most.
func TestAsManyAreAskedAsThePlanSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := []string{"osl-2", "osl-3", "osl-4", "osl-5", "osl-6", "osl-7", "osl-8", "osl-9", "osl-10"}
		for others, want := range map[int][]int{0: nil, 1: {1}, 3: {3}, 5: {3, 2}, 8: {3, 3, 2}} {
			hints, ok := asking(others, all...).Begin(imap, false)
			var got []int
			seen := map[string]bool{}
			for _, h := range hints {
				got = append(got, len(h.Asked))
				for _, p := range h.Asked {
					seen[p] = true
				}
			}
			if !ok || !slices.Equal(got, want) || len(seen) != others {
				t.Errorf("%d others: hints ask %v, %d probes in all, want %v", others, got, len(seen), want)
			}
			if h, _ := begin(asking(others, all...), imap, true); len(h.Asked) != min(others, 1) {
				t.Errorf("%d others, a login: asks %v", others, h.Asked)
			}
		}
	})
}

// TestSecondHintIsObeyed: whoever hears first that others are asked is asked himself
// by the next hint of the same burst.
func TestSecondHintIsObeyed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := bursts("osl-2", "osl-3")
		if b.Hear(hint(imap, "osl-3")) || !b.Hear(hint(imap, "osl-1")) {
			t.Error("looks for the first hint, or not for the second")
		}
	})
}

// TestSameOnesAreAsked by all who fail in the same minute, and not for ever.
func TestSameOnesAreAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := []string{"osl-1", "osl-2", "osl-3", "osl-4", "osl-5", "osl-6", "osl-7", "osl-8", "osl-9"}
		asked := map[string]int{}
		for range 200 {
			a, _ := begin(bursts(all[1:]...), imap, false)
			reversed := slices.Clone(all[1:])
			slices.Reverse(reversed)
			b, _ := begin(bursts(reversed...), imap, false)
			if !slices.Equal(a.Asked, b.Asked) {
				t.Fatalf("asked %v and %v", a.Asked, b.Asked)
			}
			for _, p := range a.Asked {
				asked[p]++
			}
			time.Sleep(time.Minute)
		}
		for _, p := range all[1:] {
			if n := asked[p]; n < 40 || n > 110 { // 75 on average
				t.Errorf("%s was asked %d times of 200", p, n)
			}
		}
	})
}

// TestHear: a probe looks when it is asked, once in 20 s whoever asks, and begins
// no burst of its own meanwhile.
func TestHear(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := bursts("osl-2", "osl-3")
		if !b.Hear(hint(imap, "osl-3", "osl-1")) {
			t.Error("does not look when asked")
		}
		if _, ok := begin(b, imap, false); ok {
			t.Error("begins a burst while it takes part in one")
		}
		again := hint(imap, "osl-1")
		again.Asker = "osl-3"
		if b.Hear(again) {
			t.Error("looks twice in 20 s")
		}
		time.Sleep(confirm.Rest)
		if !b.Hear(hint(imap, "osl-1")) {
			t.Error("does not look when asked later")
		}
		if got := b.Counts(); got.Refused != 1 || got.Asked != 0 {
			t.Errorf("counts %+v, want one refused", got)
		}
	})
}

// region are five probes that hear one another after a moment.
type region struct {
	probes map[string]*confirm.Bursts
	asking int // bursts that asked others
	looks  map[string]int
}

func newRegion() *region {
	names := []string{"osl-1", "osl-2", "osl-3", "osl-4", "osl-5"}
	r := &region{probes: map[string]*confirm.Bursts{}, looks: map[string]int{}}
	for _, self := range names {
		r.probes[self] = confirm.New(confirm.Options{
			Self: self, Neighbours: func(string) []string { return names }, Others: func(string) int { return 3 },
			Enrolled: func(p string) bool { return slices.Contains(names, p) }, Bound: func() int { return 8 },
		})
	}
	return r
}

// fail lets probes fail at the same moment, and then has all of them hear of it.
func (r *region) fail(probes ...string) {
	var said []wire.Hint
	for _, p := range probes {
		h, ok := begin(r.probes[p], imap, false)
		if ok {
			r.looks[p]++
		}
		if ok && len(h.Asked) > 0 {
			r.asking++
			said = append(said, h)
		}
	}
	for _, h := range said {
		for name, p := range r.probes {
			if name != h.Asker && p.Hear(h) {
				r.looks[name]++
			}
		}
	}
}

// TestWithoutALeader: however many probes of a region meet a failure within 20 s,
// others are asked once, or twice if two meet it before either hears of the other;
// and no probe looks again more than once.
func TestWithoutALeader(t *testing.T) {
	for name, c := range map[string]struct {
		together []string
		asking   int
	}{
		"one after the other": {[]string{"osl-2"}, 1},
		"two at once":         {[]string{"osl-2", "osl-4"}, 2},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRegion()
			r.fail(c.together...)
			if asked := 3 + 1; len(r.looks) < asked {
				t.Errorf("%s: only %v look again at once", name, r.looks)
			}
			for _, p := range []string{"osl-1", "osl-2", "osl-3", "osl-4", "osl-5"} {
				time.Sleep(3 * time.Second)
				r.fail(p)
			}
			if r.asking != c.asking {
				t.Errorf("%s: others were asked %d times, want %d", name, r.asking, c.asking)
			}
			for p, n := range r.looks {
				if n != 1 {
					t.Errorf("%s: %s looked again %d times in 20 s", name, p, n)
				}
			}
		})
	}
}

// TestHearRefuses what nobody has to obey, and keeps its own bursts for it.
func TestHearRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, change := range map[string]func(*wire.Hint){
			"not asked":       func(h *wire.Hint) { h.Asked = []string{"osl-3"} },
			"not enrolled":    func(h *wire.Hint) { h.Asker = "nyc-1" },
			"from oneself":    func(h *wire.Hint) { h.Asker = "osl-1" },
			"old":             func(h *wire.Hint) { h.At = h.At.Add(-61 * time.Second) },
			"from the future": func(h *wire.Hint) { h.At = h.At.Add(61 * time.Second) },
		} {
			b := bursts("osl-2", "osl-3")
			h := hint(imap, "osl-1")
			change(&h)
			if b.Hear(h) {
				t.Errorf("%s: looks", name)
			}
			if want := uint64(1); name != "not asked" && b.Counts().Refused != want {
				t.Errorf("%s: %d refused, want %d", name, b.Counts().Refused, want)
			}
			if got, ok := begin(b, imap, false); !ok || len(got.Asked) == 0 && name != "not asked" {
				t.Errorf("%s: keeps this probe from looking again by itself, or from asking", name)
			}
		}
	})
}

// TestThief: whoever has the key of the mesh cannot cause more looks than the
// bound, and cannot keep a probe from looking again at what fails.
func TestThief(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := bursts("osl-2", "osl-3")
		var looks []time.Time
		for second := range 600 {
			for i := range 200 {
				// One at first, and as many as go just before and after its time is over.
				if turn := second % 45; (turn == 0 && i == 0 || turn > 18) && b.Hear(hint(confirm.Series{Check: fmt.Sprintf("c%d", (second+i)%300), Family: checks.IPv4}, "osl-1")) {
					looks = append(looks, time.Now())
				}
			}
			time.Sleep(time.Second)
		}
		if len(looks) < 8 {
			t.Errorf("%d looks, want some", len(looks))
		}
		for i := range looks {
			if i >= 8 && looks[i].Sub(looks[i-8]) < confirm.Rest {
				t.Errorf("nine looks within %s, want at most eight in %s", looks[i].Sub(looks[i-8]), confirm.Rest)
			}
		}
		b.Hear(hint(imap, "osl-3"))
		if _, ok := begin(b, imap, false); !ok {
			t.Error("a hint for others keeps this probe from looking again")
		}
	})
}

// TestSilencedByHints: whoever has the key of the mesh, and says without an end that
// others are asked, keeps a probe from asking for 20 s and not for ever.
func TestSilencedByHints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := bursts("osl-2", "osl-3")
		asked := 0
		for second := range 600 {
			b.Hear(hint(imap, "osl-3"))
			if second%10 == 0 {
				if h, ok := begin(b, imap, false); ok && len(h.Asked) > 0 {
					asked++
				}
			}
			time.Sleep(time.Second)
		}
		if asked != 600/40 {
			t.Errorf("asked others %d times in ten minutes, want once in 40 s", asked)
		}
	})
}

// TestForgotten series cost nothing.
func TestForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := bursts()
		begin(b, imap, false)
		b.Keep(func(check string) bool { return check != "imap" })
		if _, ok := begin(b, imap, false); !ok {
			t.Error("a check that came anew still rests")
		}
		u := confirm.NewUsual()
		u.Learn(imap, []checks.PhaseTiming{{Name: checks.Greeting, Duration: 5 * time.Second}})
		u.Keep(func(string) bool { return false })
		if d, never := u.Patience(imap, checks.Greeting); never || d != time.Second {
			t.Errorf("patience of %s, %t; want that of a stranger", d, never)
		}
	})
}

// TestPatience is three times what is usual and at least a second; a phase that was
// slow in health is never held for stuck, for a day.
func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, c := range map[string]struct {
			runs  []time.Duration
			want  time.Duration
			never bool
		}{
			"unknown":            {nil, time.Second, false},
			"fast":               {many(100, 20*time.Millisecond), time.Second, false},
			"half a second":      {many(100, 500*time.Millisecond), 3 * 530 * time.Millisecond, false},
			"five of 100 slow":   {append(many(95, 20*time.Millisecond), many(5, 2*time.Second)...), time.Second, false},
			"six of 100 slow":    {append(many(94, 20*time.Millisecond), many(6, 2*time.Second)...), 3 * 2100 * time.Millisecond, false},
			"once on purpose":    {append(many(999, 20*time.Millisecond), 3001*time.Millisecond), 0, true},
			"more than it holds": {many(100_000, 20*time.Millisecond), time.Second, false},
		} {
			u := confirm.NewUsual()
			for _, d := range c.runs {
				u.Learn(imap, []checks.PhaseTiming{{Name: checks.Connect, Duration: time.Millisecond}, {Name: checks.Greeting, Duration: d}})
			}
			if got, never := u.Patience(imap, checks.Greeting); got != c.want || never != c.never {
				t.Errorf("%s: %s, %t; want %s, %t", name, got, never, c.want, c.never)
			}
		}
		renamed := confirm.NewUsual()
		renamed.Learn(imap, []checks.PhaseTiming{{Name: checks.StartTLS, Duration: 4 * time.Second}, {Name: checks.Capability, Duration: time.Millisecond}})
		if _, never := renamed.Patience(imap, checks.Capability); !never {
			t.Error("a slow first EHLO is forgotten under its other name")
		}
		u := confirm.NewUsual()
		slow := []checks.PhaseTiming{{Name: checks.Greeting, Duration: 6 * time.Second}}
		u.Learn(imap, slow)
		for hour := range 24 {
			if _, never := u.Patience(imap, checks.Greeting); !never {
				t.Fatalf("forgotten after %d hours", hour)
			}
			time.Sleep(time.Hour)
			u.Learn(confirm.Series{Check: "smtp"}, slow)
		}
		time.Sleep(time.Hour)
		u.Learn(confirm.Series{Check: "smtp"}, slow)
		if _, never := u.Patience(imap, checks.Greeting); never {
			t.Error("remembered for longer than a day")
		}
	})
}

func many(n int, d time.Duration) []time.Duration {
	return slices.Repeat([]time.Duration{d}, n)
}
