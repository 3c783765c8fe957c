package checks_test

import (
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"varde/checks"
	ct "varde/checks/checktest"
)

// TestProgress: an attempt tells its phase, and when it last heard something.
func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lab := ct.NewLab()
		lab.Play(t, ":25", ct.Wait(2*time.Second), ct.Send("2"), ct.Wait(3*time.Second), ct.Send("2"), ct.Silence())
		var p checks.Progress
		if phase, at := p.Last(); phase != "" || !at.IsZero() {
			t.Errorf("before: %s at %s", phase, at)
		}
		began := time.Now()
		go checks.Record(checks.WithProgress(t.Context(), &p), 20*time.Second, func(ctx context.Context, r *checks.Recorder) error {
			if err := r.Dial(ctx, lab.Client, checks.IPv4, checks.Endpoint{Host: ct.LabName, Port: 25}); err != nil {
				return err
			}
			return r.Phase(ctx, checks.Greeting, 10*time.Second, func(context.Context) error {
				_, err := io.ReadAll(r.Conn())
				return err
			})
		})
		for _, want := range []time.Duration{0, 2 * time.Second, 5 * time.Second} {
			time.Sleep(time.Until(began.Add(want + 500*time.Millisecond)))
			if phase, at := p.Last(); phase != checks.Greeting || at.Sub(began) != want {
				t.Errorf("%s after %s, want greeting after %s", phase, at.Sub(began), want)
			}
		}
		time.Sleep(time.Minute)
	})
}
