package checks_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"varde/checks"
	ct "varde/checks/checktest"
)

// step is a phase that takes a while and ends in an error.
func step(r *checks.Recorder, ctx context.Context, p checks.Phase, takes time.Duration, err error) error {
	return r.Phase(ctx, p, 5*time.Second, func(ctx context.Context) error {
		select {
		case <-time.After(takes):
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	})
}

func TestRecord(t *testing.T) {
	const s = time.Second
	broken := checks.Fail(checks.Busy, "421 later")
	for _, tt := range []struct {
		name    string
		timeout time.Duration
		steps   []time.Duration // of greeting, capability, auth
		err     error           // of the last one
		class   checks.Class
		phase   checks.Phase
		elapsed time.Duration
		phases  string
	}{
		{"up", 10 * s, []time.Duration{s, 2 * s}, nil, "", "", 3 * s, "[{greeting 1s} {capability 2s}]"},
		{"failure", 10 * s, []time.Duration{s, 2 * s}, broken, checks.Busy, checks.Capability, 3 * s, "[{greeting 1s} {capability 2s}]"},
		{"own limit", 60 * s, []time.Duration{s, 7 * s}, nil, checks.CommandTimeout, checks.Capability, 6 * s, "[{greeting 1s} {capability 5s}]"},
		{"whole limit", 3 * s, []time.Duration{2 * s, 2 * s}, nil, checks.CommandTimeout, checks.Capability, 3 * s, "[{greeting 2s} {capability 1s}]"},
		{"whole limit used up", 2 * s, []time.Duration{s, s, s}, nil, checks.AuthTimeout, checks.Auth, 2 * s, "[{greeting 1s} {capability 1s} {auth 0s}]"},
		{"time beats cause", 10 * s, []time.Duration{5 * s}, broken, checks.GreetingTimeout, checks.Greeting, 5 * s, "[{greeting 5s}]"},
		{"just in time", 10 * s, []time.Duration{5*s - 1}, broken, checks.Busy, checks.Greeting, 5*s - 1, "[{greeting 4.999999999s}]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := checks.Record(t.Context(), tt.timeout, func(ctx context.Context, r *checks.Recorder) error {
					for i, takes := range tt.steps {
						p := []checks.Phase{checks.Greeting, checks.Capability, checks.Auth}[i]
						var err error
						if i == len(tt.steps)-1 {
							err = tt.err
						}
						if err := step(r, ctx, p, takes, err); err != nil {
							return err
						}
					}
					return nil
				})
				if r.Class != tt.class || r.FailedPhase != tt.phase || r.Elapsed != tt.elapsed || r.Outcome != tt.class.Outcome() {
					t.Errorf("got %+v, want %s in %q after %s", r, tt.class, tt.phase, tt.elapsed)
				}
				if got := fmt.Sprint(r.Phases); got != tt.phases {
					t.Errorf("phases %s, want %s", got, tt.phases)
				}
			})
		})
	}
}

func TestPhaseThatFollowsItselfIsOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := checks.Record(t.Context(), time.Minute, func(ctx context.Context, r *checks.Recorder) error {
			err := errors.Join(step(r, ctx, checks.Greeting, time.Second, nil), step(r, ctx, checks.Capability, time.Second, nil))
			r.Rename(checks.StartTLS)
			return errors.Join(err, step(r, ctx, checks.StartTLS, 2*time.Second, nil), step(r, ctx, checks.Capability, time.Second, nil))
		})
		if got := fmt.Sprint(r.Phases); got != "[{greeting 1s} {starttls 3s} {capability 1s}]" || r.Outcome != checks.Up {
			t.Errorf("got %+v", r)
		}
	})
}

// TestPhaseThatComesAgain stands once, where it last was, so that the one that
// failed is the last.
func TestPhaseThatComesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := checks.Fail(checks.HTTPStatus, "404")
		r := checks.Record(t.Context(), time.Minute, func(ctx context.Context, r *checks.Recorder) error {
			for _, p := range []checks.Phase{checks.Connect, checks.Request, checks.FirstByte, checks.Connect, checks.TLS, checks.Request} {
				if err := step(r, ctx, p, time.Second, nil); err != nil {
					return err
				}
			}
			return step(r, ctx, checks.FirstByte, time.Second, broken)
		})
		if got := fmt.Sprint(r.Phases); got != "[{connect 2s} {tls 1s} {request 2s} {first_byte 2s}]" || r.FailedPhase != checks.FirstByte || r.Elapsed != 7*time.Second {
			t.Errorf("got %+v", r)
		}
	})
}

// TestReconnect goes on with another port of the same address, without asking
// for the name again, and what was taken before still counts.
func TestReconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lab := ct.NewLab()
		const half = checks.ReadMax/2 + 1
		lab.Play(t, ":80", ct.Send(strings.Repeat("x", half)), ct.Silence())
		lab.Play(t, ":443", ct.Send(strings.Repeat("x", half)), ct.Silence())
		closed := 0
		r := checks.Record(t.Context(), time.Minute, func(ctx context.Context, r *checks.Recorder) error {
			if err := r.Dial(ctx, lab.Client, checks.IPv6, checks.Endpoint{Host: ct.LabName, Port: 80}); err != nil {
				return err
			}
			take := func(ctx context.Context) error {
				_, err := io.ReadFull(r.Conn(), make([]byte, half))
				return err
			}
			r.BeforeClose(func() { closed++ })
			if err := r.Phase(ctx, checks.Body, time.Second, take); err != nil {
				return err
			}
			first := r.Conn()
			lab.Name(ct.LabName)
			if err := r.Reconnect(ctx, lab.Client, checks.IPv6, 443); err != nil {
				return err
			}
			if _, err := first.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) || closed != 1 {
				t.Errorf("the first connection gives %v, closed %d times", err, closed)
			}
			return r.Phase(ctx, checks.Body, time.Second, take)
		})
		if r.Class != checks.ProtocolError || r.Detail != "more than 512 kB in one attempt" || closed != 1 || r.Address != "[2001:db8:2::1]:443" {
			t.Errorf("got %+v, closed %d times, want protocol_error", r, closed)
		}
		if got := fmt.Sprint(r.Phases); got != "[{resolve 0s} {connect 0s} {body 0s}]" {
			t.Errorf("phases %s", got)
		}
	})
}

// TestAnswerBehindAWriteThatFails: a server that hangs up before it was asked has
// answered all the same.
func TestAnswerBehindAWriteThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lab := ct.NewLab()
		lab.Play(t, ":25", ct.Send("421 busy\r\n"), ct.Hangup())
		r := checks.Record(t.Context(), time.Minute, func(ctx context.Context, r *checks.Recorder) error {
			if err := r.Dial(ctx, lab.Client, checks.IPv4, checks.Endpoint{Host: ct.LabName, Port: 25}); err != nil {
				return err
			}
			return r.Phase(ctx, checks.Greeting, checks.GreetingLimit, func(context.Context) error {
				synctest.Wait()
				for range 3 {
					if _, err := io.WriteString(r.Conn(), "EHLO\r\n"); err != nil {
						t.Errorf("write: %v", err)
					}
				}
				said, err := io.ReadAll(r.Conn())
				if string(said) != "421 busy\r\n" {
					t.Errorf("read %q, %v", said, err)
				}
				return nil
			})
		})
		if r.Outcome != checks.Up {
			t.Errorf("got %+v", r)
		}
	})
}

func TestErrorOutsideOfEveryPhaseIsOurs(t *testing.T) {
	r := checks.Record(t.Context(), time.Minute, func(context.Context, *checks.Recorder) error { return errors.New("a bug") })
	if r.Class != checks.OwnError || r.Outcome != checks.Unknown || r.Detail != "a bug" || r.FailedPhase != "" {
		t.Errorf("got %+v, want own_error", r)
	}
}

// A machine that was starved looks at its deadline when the answer has long
// been there.
func TestDeadlineThatIsSeenLateIsOurs(t *testing.T) {
	const ms = time.Millisecond
	for _, tt := range []struct {
		late time.Duration
		err  error
		want checks.Class
	}{
		{0, os.ErrDeadlineExceeded, checks.GreetingTimeout},
		{250 * ms, os.ErrDeadlineExceeded, checks.GreetingTimeout},
		{251 * ms, os.ErrDeadlineExceeded, checks.OwnLate},
		{10000 * ms, io.EOF, checks.OwnLate},
		{250 * ms, nil, ""},
		{251 * ms, nil, checks.OwnLate}, // how long it took says nothing either
	} {
		synctest.Test(t, func(t *testing.T) {
			r := checks.Record(t.Context(), time.Minute, func(ctx context.Context, r *checks.Recorder) error {
				return r.Phase(ctx, checks.Greeting, 5*time.Second, func(context.Context) error {
					time.Sleep(5*time.Second + tt.late)
					return tt.err
				})
			})
			if r.Class != tt.want || r.Outcome != tt.want.Outcome() || r.Class != "" && r.FailedPhase != checks.Greeting {
				t.Errorf("%v, %s late: got %+v, want %q", tt.err, tt.late, r, tt.want)
			}
		})
	}
}

// TestProtocolCodeCannotLiftTheDeadline has it set its own ones, later or none.
func TestProtocolCodeCannotLiftTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lab := ct.NewLab()
		lab.Play(t, ":25", ct.Silence())
		for name, lift := range map[string]func(*checks.Recorder) error{
			"none":  func(r *checks.Recorder) error { return r.Conn().SetDeadline(time.Time{}) },
			"later": func(r *checks.Recorder) error { return r.Conn().SetReadDeadline(time.Now().Add(time.Hour)) },
		} {
			r := checks.Record(t.Context(), 3*time.Second, func(ctx context.Context, r *checks.Recorder) error {
				if err := r.Dial(ctx, lab.Client, checks.IPv6, checks.Endpoint{Host: ct.LabName, Port: 25}); err != nil {
					return err
				}
				return r.Phase(ctx, checks.Greeting, checks.GreetingLimit, func(context.Context) error {
					if err := lift(r); err != nil {
						return err
					}
					_, err := r.Conn().Read(make([]byte, 1))
					return err
				})
			})
			if r.Class != checks.GreetingTimeout || r.Elapsed != 3*time.Second {
				t.Errorf("%s: got %+v, want greeting_timeout after 3s", name, r)
			}
		}
	})
}

func TestBytesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lab := ct.NewLab()
		lab.Play(t, ":25", ct.Flood(strings.Repeat("x", 1000)))
		dial := func(use func(*checks.Recorder) error) checks.Result {
			return checks.Record(t.Context(), time.Minute, func(ctx context.Context, r *checks.Recorder) error {
				if err := r.Dial(ctx, lab.Client, checks.IPv4, checks.Endpoint{Host: ct.LabName, Port: 25}); err != nil {
					return err
				}
				return r.Phase(ctx, checks.Body, time.Minute, func(context.Context) error { return use(r) })
			})
		}
		read := 0
		r := dial(func(r *checks.Recorder) error {
			for b := make([]byte, 10_000); ; {
				n, err := r.Conn().Read(b)
				if read += n; err != nil {
					return err
				}
			}
		})
		if r.Class != checks.ProtocolError || read != checks.ReadMax {
			t.Errorf("read %d bytes, then %+v, want %d and protocol_error", read, r, checks.ReadMax)
		}
		r = dial(func(r *checks.Recorder) error {
			_, err := r.Conn().Write(make([]byte, checks.SendMax+1))
			return err
		})
		if r.Class != checks.ProtocolError {
			t.Errorf("got %+v, want protocol_error: we send no more than %d bytes", r, checks.SendMax)
		}
	})
}

// lying is a resolver that answers with what was not asked for.
type lying struct {
	*ct.Host
	addrs []netip.Addr
}

func (l lying) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return l.addrs, nil
}

func TestResolverThatAnswersSomethingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lab := ct.NewLab()
		four, six := netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("2001:db8:2::1")
		for _, tt := range []struct {
			addrs []netip.Addr
			want  string
		}{
			{nil, ""},
			{[]netip.Addr{six}, ""},
			{[]netip.Addr{six, four}, "198.51.100.1:25"},
			{[]netip.Addr{netip.AddrFrom16(four.As16())}, "198.51.100.1:25"},
			{[]netip.Addr{{}}, ""},
		} {
			r := checks.Record(t.Context(), time.Minute, func(ctx context.Context, r *checks.Recorder) error {
				return r.Dial(ctx, lying{lab.Client, tt.addrs}, checks.IPv4, checks.Endpoint{Host: "x", Port: 25})
			})
			if r.Address != tt.want || (tt.want == "") != (r.Class == checks.DNSError) {
				t.Errorf("%v: got %+v, want %q", tt.addrs, r, tt.want)
			}
		}
	})
}

func TestDetail(t *testing.T) {
	for _, tt := range []struct {
		words, want string
		secrets     []string
	}{
		{words: "  plain words ", want: "plain words"},
		{words: "a\x00b\r\nc\td\u202ee\x1b[31mf", want: "a b  c de [31mf"},
		{words: "caf\xe9 \xff", want: "caf? ?"},
		{words: strings.Repeat("ö", 300), want: strings.Repeat("ö", 255) + "…"},
		{words: "the password is hunter22!", secrets: []string{"hunter22"}, want: "the password is ***!"},
		{words: "HUNTER22 and hunter22", secrets: []string{"hunter22"}, want: "*** and ***"},
		{words: "cut: hunter", secrets: []string{"hunter22"}, want: "cut: ***"},
		{words: "aHVudGVyMjI=", secrets: []string{"hunter22"}, want: "***"},
		{words: "short x1 y", secrets: []string{"x1"}, want: "short *** y"},
		{words: "påssörd", secrets: []string{"påssörd"}, want: "***"},
		{words: strings.Repeat("x", 250) + "hunter22", secrets: []string{"hunter22"}, want: strings.Repeat("x", 250) + "***"},
		{words: "tab\tand\x01\xff!", secrets: []string{"\tand\x01\xff"}, want: "tab***!"},
		{words: fmt.Sprintf("%q", "tab\tand\x01\xff!"), secrets: []string{"\tand\x01\xff"}, want: `"tab***!"`},
		{words: "hun\u200bter\u200b22 in pieces", secrets: []string{"hunter22"}, want: "*** in pieces"},
		{words: "nothing", secrets: []string{""}, want: "nothing"},
	} {
		r := checks.Record(t.Context(), time.Minute, func(ctx context.Context, r *checks.Recorder) error {
			r.Hide(tt.secrets...)
			return r.Phase(ctx, checks.Auth, time.Minute, func(context.Context) error {
				return &checks.Failure{Class: checks.AuthRejected, Detail: tt.words}
			})
		})
		if r.Detail != tt.want {
			t.Errorf("%q: got %q, want %q", tt.words, r.Detail, tt.want)
		}
	}
}

// FuzzDetail looks for a secret, or six bytes of one, in what is left of words
// that hold it.
func FuzzDetail(f *testing.F) {
	f.Add("535 you said ", "hunter22", " which is wrong")
	f.Add("", "\xff\xfe", "\x80")
	f.Fuzz(func(t *testing.T, before, secret, after string) {
		r := checks.Record(t.Context(), time.Minute, func(ctx context.Context, r *checks.Recorder) error {
			r.Hide(secret)
			r.Note("%s", before+secret+after)
			return nil
		})
		if len(secret) >= 6 && printable(secret) && !strings.Contains("***", secret) && strings.Contains(r.Detail, secret) {
			t.Errorf("%q holds %q", r.Detail, secret)
		}
		if n := len([]rune(r.Detail)); n > checks.DetailMax {
			t.Errorf("%d characters", n)
		}
	})
}

func printable(s string) bool {
	return !slices.ContainsFunc([]byte(s), func(b byte) bool { return b < ' ' || b > '~' })
}

func TestCredentialsPrintWithoutThePassword(t *testing.T) {
	c := checks.Credentials{User: "probe", Password: "hunter22"}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if got := fmt.Sprintf(verb, c); strings.Contains(got, "hunter22") {
			t.Errorf("%s prints %s", verb, got)
		}
		if got := fmt.Sprintf(verb, &c); strings.Contains(got, "hunter22") {
			t.Errorf("%s of a pointer prints %s", verb, got)
		}
	}
}
