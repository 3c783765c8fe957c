package identity_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"net/url"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"filippo.io/age"
	"github.com/google/go-cmp/cmp"

	"varde/probe/internal/identity"
	"varde/proto/wire"
)

// runFor keeps an identity fresh while time passes.
func runFor(t *testing.T, i *identity.Identity, d time.Duration, renew func(context.Context, []byte) ([][]byte, error)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	if err := i.KeepFresh(ctx, renew); err != nil {
		t.Fatal(err)
	}
}

// third is when a certificate of 30 days, backdated by five minutes, is due.
const third = (30*24*time.Hour + 5*time.Minute) / 3

func TestRenewsAfterAThird(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(t)
		dir := t.TempDir()
		i := a.join(t, dir)
		start := time.Now()
		var at []time.Duration
		runFor(t, i, 60*24*time.Hour, func(ctx context.Context, requestDER []byte) ([][]byte, error) {
			at = append(at, time.Since(start))
			return a.renew(t)(ctx, requestDER)
		})
		if diff := cmp.Diff([]time.Duration{third, 2 * third, 3 * third, 4 * third, 5 * third}, at); diff != "" {
			t.Errorf("renewed (-want +got):\n%s", diff)
		}
		if want := start.Add(5*third + 30*24*time.Hour); !i.NotAfter().Equal(want) {
			t.Errorf("ends %s, want %s", i.NotAfter(), want)
		}
		loaded, err := identity.Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		if !loaded.NotAfter().Equal(i.NotAfter()) {
			t.Error("the last certificate is not on disk")
		}
	})
}

// TestRenewalSurvivesARestart: what counts is when the certificate came.
func TestRenewalSurvivesARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(t)
		dir := t.TempDir()
		a.join(t, dir)
		start := time.Now()
		for range 31 {
			time.Sleep(8 * time.Hour)
			i, err := identity.Load(dir)
			if err != nil {
				t.Fatal(err)
			}
			runFor(t, i, time.Second, func(ctx context.Context, requestDER []byte) ([][]byte, error) {
				if since := time.Since(start); since < third {
					t.Errorf("renewed after %s", since)
				}
				return a.renew(t)(ctx, requestDER)
			})
		}
		i, err := identity.Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		if !i.NotAfter().After(start.Add(31 * 24 * time.Hour)) {
			t.Errorf("after %s it still ends %s", time.Since(start), i.NotAfter())
		}
	})
}

// TestLateRenewal: a probe that was off for months renews when it is back.
func TestLateRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(t)
		i := a.join(t, t.TempDir())
		time.Sleep(150 * 24 * time.Hour)
		asked := 0
		runFor(t, i, time.Second, func(ctx context.Context, requestDER []byte) ([][]byte, error) {
			asked++
			shown, err := connect(t, i.TLS(), a.server(t, serverLeaf()))
			if err != nil || !shown.NotAfter.Before(time.Now()) {
				t.Errorf("renews with %v, %v; expected its expired certificate", shown, err)
			}
			return a.renew(t)(ctx, requestDER)
		})
		if asked != 1 || !i.NotAfter().Equal(time.Now().Add(30*24*time.Hour-time.Second)) {
			t.Errorf("asked %d times, ends %s", asked, i.NotAfter())
		}
	})
}

// TestRetries: after a failure the waits double from a minute to an hour, each
// within a tenth, for as long as it takes; the probe goes on with what it has.
func TestRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(t)
		dir := t.TempDir()
		i := a.join(t, dir)
		before := content(t, dir)
		var at []time.Time
		time.Sleep(third)
		runFor(t, i, 24*time.Hour, func(context.Context, []byte) ([][]byte, error) {
			at = append(at, time.Now())
			return nil, errors.New("coordinator is away")
		})
		for n := 1; n < len(at); n++ {
			want := min(time.Minute<<min(n-1, 6), time.Hour)
			if got := at[n].Sub(at[n-1]); got < want-want/10 || got > want+want/10 {
				t.Errorf("wait %d was %s, want %s within a tenth", n, got, want)
			}
		}
		if len(at) < 26 || len(at) > 33 {
			t.Errorf("%d attempts in a day", len(at))
		}
		if diff := cmp.Diff(before, content(t, dir)); diff != "" {
			t.Errorf("the identity was changed (-before +after):\n%s", diff)
		}
		runFor(t, i, time.Second, a.renew(t))
		if !i.NotAfter().After(time.Now().Add(29 * 24 * time.Hour)) {
			t.Error("not renewed when the coordinator was back")
		}
	})
}

// TestRetriesBeginAnew: who was once answered waits a minute again.
func TestRetriesBeginAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(t)
		i := a.join(t, t.TempDir())
		var failed []time.Time
		runFor(t, i, 21*24*time.Hour, func(ctx context.Context, requestDER []byte) ([][]byte, error) {
			if len(failed)%6 == 5 {
				failed = append(failed, time.Time{})
				return a.renew(t)(ctx, requestDER)
			}
			failed = append(failed, time.Now())
			return nil, errors.New("coordinator is away")
		})
		if len(failed) != 12 {
			t.Fatalf("%d attempts, expected twice five that fail and one that does not", len(failed))
		}
		for _, first := range []int{0, 6} {
			if wait := failed[first+1].Sub(failed[first]); wait > 66*time.Second {
				t.Errorf("waited %s after the first failure", wait)
			}
		}
	})
}

// TestAnAttemptIsBounded: a coordinator that is silent costs one minute.
func TestAnAttemptIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(t)
		i := a.join(t, t.TempDir())
		time.Sleep(third)
		tries := 0
		runFor(t, i, time.Hour, func(ctx context.Context, requestDER []byte) ([][]byte, error) {
			start := time.Now()
			if tries++; tries > 1 {
				return a.renew(t)(ctx, requestDER)
			}
			<-ctx.Done()
			if took := time.Since(start); took != time.Minute {
				t.Errorf("gave up after %s", took)
			}
			return nil, ctx.Err()
		})
		if tries != 2 {
			t.Errorf("%d attempts, expected one that hangs and one that does not", tries)
		}
	})
}

// TestBadAnswersToARenewal: the old certificate stays, in memory and on disk.
func TestBadAnswersToARenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, other := newAuthority(t), newAuthority(t)
		dir := t.TempDir()
		i := a.join(t, dir)
		before, ends := content(t, dir), i.NotAfter()
		time.Sleep(third)
		moved := probeLeaf()
		moved.URIs = []*url.URL{wire.Subject{Name: "osl-1", Region: "oceania"}.URI()}
		for name, answer := range map[string]func(requestDER []byte) [][]byte{
			"nothing":        func([]byte) [][]byte { return nil },
			"garbage":        func([]byte) [][]byte { return [][]byte{[]byte("x")} },
			"another CA":     func(r []byte) [][]byte { return [][]byte{other.leaf(t, r, probeLeaf()), other.cert.Raw} },
			"another key":    func([]byte) [][]byte { return [][]byte{a.sign(t, probeLeaf(), newKey(t).Public(), a.cert).Raw} },
			"another region": func(r []byte) [][]byte { return [][]byte{a.leaf(t, r, moved)} },
			"not for us":     func(r []byte) [][]byte { return [][]byte{a.leaf(t, r, serverLeaf())} },
		} {
			asked := false
			runFor(t, i, time.Second, func(_ context.Context, r []byte) ([][]byte, error) {
				asked = true
				return answer(r), nil
			})
			if diff := cmp.Diff(before, content(t, dir)); diff != "" || !i.NotAfter().Equal(ends) || !asked {
				t.Errorf("%s: asked %t, ends %s (-before +after):\n%s", name, asked, i.NotAfter(), diff)
			}
			if _, err := connect(t, i.TLS(), a.server(t, serverLeaf())); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// TestRenewalThatCannotBeKept: a certificate that is not on disk is not used.
func TestRenewalThatCannotBeKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(t)
		dir := t.TempDir()
		i := a.join(t, dir)
		ends := i.NotAfter()
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		time.Sleep(third)
		runFor(t, i, time.Second, a.renew(t))
		if !i.NotAfter().Equal(ends) {
			t.Error("uses a certificate that is gone after a restart")
		}
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		runFor(t, i, time.Second, a.renew(t))
		if i.NotAfter().Equal(ends) {
			t.Error("not renewed when the disk was back")
		}
	})
}

// TestClockSetBack: who cannot tell how old a certificate is renews it, once an
// hour at most.
func TestClockSetBack(t *testing.T) {
	dir := t.TempDir()
	var a *authority
	var next *x509.Certificate
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(365 * 24 * time.Hour)
		a = newAuthority(t)
		a.join(t, dir)
		next = probeLeaf()
	})
	synctest.Test(t, func(t *testing.T) { // a year earlier, and only here
		i, err := identity.Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		asked := 0
		runFor(t, i, 9*24*time.Hour, func(_ context.Context, requestDER []byte) ([][]byte, error) {
			asked++
			return [][]byte{a.leaf(t, requestDER, next), a.cert.Raw}, nil
		})
		if asked != 1 {
			t.Errorf("renewed %d times, expected once", asked)
		}
	})
}

func TestOpenBundle(t *testing.T) {
	a := newAuthority(t)
	i := a.join(t, t.TempDir())
	to := a.asked[0].Recipient
	want := map[string]string{"imap-login": "correct horse", "smtp-login": "battery staple"}
	plain, err := wire.MarshalSecrets(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := i.OpenBundle(seal(t, to, plain))
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}

	stranger, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	damaged := seal(t, to, plain)
	damaged[len(damaged)-1] ^= 1
	for name, c := range map[string]struct {
		sealed []byte
		want   string
	}{
		"nothing":       {nil, "open secrets: failed to read header: parsing age header: file is empty"},
		"for another":   {seal(t, stranger.Recipient().String(), plain), "open secrets: identity did not match any of the recipients: incorrect identity for recipient block"},
		"damaged":       {damaged, "open secrets: failed to decrypt and authenticate payload chunk, file may be corrupted or tampered with"},
		"not secrets":   {seal(t, to, []byte("correct horse")), "open secrets: secrets: not a bundle"},
		"far too large": {make([]byte, 1<<20+1), "open secrets: 1048577 bytes, expected at most 1048576"},
	} {
		secrets, err := i.OpenBundle(c.sealed)
		if err == nil || err.Error() != c.want || secrets != nil {
			t.Errorf("%s: got %d secrets, error %v\nwant error %s", name, len(secrets), err, c.want)
		}
	}
	if got, err := i.OpenBundle(seal(t, to, nil)); err != nil || len(got) != 0 {
		t.Errorf("no secrets: got %d, %v", len(got), err)
	}
}

// FuzzOpenBundle gets what a stranger may send.
func FuzzOpenBundle(f *testing.F) {
	a := newAuthority(f)
	i := a.join(f, f.TempDir())
	plain, err := wire.MarshalSecrets(map[string]string{"a": "b"})
	if err != nil {
		f.Fatal(err)
	}
	good := seal(f, a.asked[0].Recipient, plain)
	f.Add(good)
	f.Fuzz(func(t *testing.T, b []byte) {
		if secrets, err := i.OpenBundle(b); err == nil && !bytes.Equal(b, good) {
			t.Errorf("opened %d secrets that were not sealed to this probe", len(secrets))
		}
	})
}
