package main

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestWatchEndsWhenLoginsAreRefused before the server locks the account, or us,
// out.
func TestWatchEndsWhenLoginsAreRefused(t *testing.T) {
	for family, want := range map[string]struct {
		took     time.Duration
		attempts string
	}{"ipv4": {10 * time.Second, "  2 attempts: 0 up, 0 down, 2 unknown\n"}, "both": {0, "  1 attempts: 0 up, 0 down, 1 unknown\n"}} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t)
			b.serve(t, "NO [AUTHENTICATIONFAILED] no")
			start := time.Now()
			code := b.call(t.Context(), "check imaps://mail.example.net --ca @ca --user probe --password-file @password --watch --every 10s --count 5 --family "+family)
			const words = "varde-probe: 2 logins were refused, expected a good one: not asked again, or the server may lock the account\n"
			if took := time.Since(start).Truncate(time.Second); code != 2 || took != want.took || b.err.String() != words {
				t.Errorf("%s: exit code %d after %s, %q, want 2 after %s, %q", family, code, took, b.err.String(), want.took, words)
			}
			if out := b.out.String(); !strings.Contains(out, want.attempts) {
				t.Errorf("%s: got\n%s\nwant %q in it", family, out, want.attempts)
			}
		})
	}
}
