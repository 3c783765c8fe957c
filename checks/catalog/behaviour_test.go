package catalog_test

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"log"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"varde/checks"
	"varde/checks/catalog"
	ct "varde/checks/checktest"
	"varde/checks/roundtrip"
)

// behaviour is one way in which a server, or the network before it, behaves, and
// what an attempt makes of it.
type behaviour struct {
	name string
	// asks are the questions whose server behaves so, all with the same result.
	asks   []ask
	server world
	phase  checks.Phase
	class  checks.Class // empty is up
	after  time.Duration
}

// ask is a question, and how far its server is honest.
type ask struct {
	target checks.Target
	family checks.Family
	port   string
	before conversation
}

// world makes the server of a lab, or the network, behave.
type world func(*testing.T, *ct.Lab, ask)

// conversation is what passes between a server and its client, a line each: "S:"
// is said by the server, "C:" must be in the client's next line, "TLS" is a
// handshake, "GET" a whole request.
type conversation string

func (c conversation) steps(lab *ct.Lab) []ct.Step {
	var all []ct.Step
	for line := range strings.Lines(string(c)) {
		line = strings.TrimSuffix(line, "\n")
		who, words, _ := strings.Cut(line, ":")
		words = strings.TrimPrefix(words, " ")
		switch who {
		case "S":
			all = append(all, ct.Send(words+"\r\n"))
		case "C":
			all = append(all, ct.Expect(words))
		case "TLS":
			all = append(all, ct.Secure(lab.TLS()))
		case "GET":
			all = append(all, ct.Skip("GET /"))
		default:
			panic(line)
		}
	}
	return all
}

// plays is a server that does something after the honest part.
func plays(steps ...ct.Step) world { return then("", steps...) }

// then is a server that goes on as in a conversation before it does something.
func then(more conversation, steps ...ct.Step) world {
	return func(t *testing.T, lab *ct.Lab, a ask) {
		lab.Play(t, a.port, append((a.before+more).steps(lab), steps...)...)
	}
}

// says is a server that says words after the honest part, and then nothing.
func says(words string) world { return plays(ct.Send(words), ct.Silence()) }

// login is an account whose server may hear a password or a token.
func login(m checks.Mechanism) *checks.Login {
	stands := checks.Secret{Name: "password"}
	if m == checks.MechanismXOAUTH2 || m == checks.MechanismOAuthBearer {
		stands.Name = "token"
	}
	return &checks.Login{User: user, Password: stands, Mechanism: m}
}

const (
	user  = "probe@example.net"
	token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJwcm9iZSJ9.abc_def-ghi"
)

func password(name string) (string, error) {
	if name == "token" {
		return token, nil
	}
	return ct.LabPassword, nil
}

// slack is how long after its timeout an attempt may end.
const slack = 100 * time.Millisecond

// loggedMax is how many lines net/http may write into the log of the program over
// the runs of one question, about frames that it does not know.
const loggedMax = 300

// TestBehaviours is the table of what servers and networks do and what is made of
// it: the exact class, failed phase and time. It is printed with -v.
//
// Whatever a server does, an attempt also ends in time, shows no secret, takes
// little memory, and has no library fill the log.
func TestBehaviours(t *testing.T) {
	var logged strings.Builder
	log.SetOutput(&logged)
	t.Cleanup(func() { log.SetOutput(os.Stderr) })
	warm(t)
	lines := "kind | behaviour | class | phase | after"
	for _, b := range behaviours() {
		for _, a := range b.asks {
			t.Run(fmt.Sprintf("%s/%s/%s", a.target.Kind, b.name, a.target.Address()), func(t *testing.T) {
				r, taken := b.run(t, a, nil)
				b.judge(t, r)
				b.weigh(t, a, taken)
				a.target.Timeout = 777 * time.Millisecond
				b.run(t, a, nil)
				if n := strings.Count(logged.String(), "\n"); n > loggedMax {
					t.Errorf("logged %d lines, want at most %d: %.200q", n, loggedMax, logged.String())
				}
				logged.Reset()
			})
		}
		lines += "\n" + b.String()
	}
	t.Log(lines)
}

// String is a line of the table.
func (b behaviour) String() string {
	var kinds []string
	for _, a := range b.asks {
		if k := string(a.target.Kind); !slices.Contains(kinds, k) {
			kinds = append(kinds, k)
		}
	}
	class, phase := cmp.Or(b.class, "up"), cmp.Or(b.phase, "-")
	return fmt.Sprintf("%s | %s | %s | %s | %s", strings.Join(kinds, " "), b.name, class, phase, b.after)
}

func behaviours() []behaviour {
	return slices.Concat(networks(), handshakes(), imaps(), smtps(), pop3s(), webs(), names(), banners(), mails())
}

// warm makes what a program makes once.
func warm(t *testing.T) {
	t.Helper()
	for _, a := range []ask{secured(checks.HTTPS), secured(checks.IMAP)} {
		behaviour{server: then("TLS", ct.Hangup())}.run(t, a, nil)
	}
}

// run makes one attempt in a world of its own, whose client reads under the gauge
// if there is one, and says how many bytes were allocated meanwhile on both ends.
func (b behaviour) run(t *testing.T, a ask, g *gauge) (r checks.Result, taken uint64) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		lab := ct.NewLab()
		b.server(t, lab, a)
		env := lab.Env()
		env.Password = password
		if g != nil {
			g.Network, g.before = env.Network, live()
			env.Network = g
		}
		c, err := catalog.New(a.target, env)
		if err != nil {
			t.Fatal(err)
		}
		began, before := time.Now(), allocated()
		r = attempt(t, c, a)
		taken = allocated() - before
		if took := time.Since(began); took > a.limit()+slack {
			t.Errorf("ended after %s, want within %s", took, a.limit())
		}
		discreet(t, r)
	})
	return r, taken
}

// limit is how long an attempt may take.
func (a ask) limit() time.Duration { return a.target.Timeout + a.target.WithDefaults().Late }

func attempt(t *testing.T, c checks.Check, a ask) checks.Result {
	t.Helper()
	loop, ok := c.(*roundtrip.Check)
	if !ok {
		return c.Attempt(t.Context(), a.family)
	}
	r, _ := loop.Send(t.Context(), post(), checks.Observation{
		Check: a.target.ID, Probe: "osl-1", Family: a.family, Scheduled: time.Now(), Started: time.Now(), Every: a.target.Every,
	})
	return r
}

func (b behaviour) judge(t *testing.T, r checks.Result) {
	t.Helper()
	if r.Class != b.class || r.FailedPhase != b.phase || r.Elapsed != b.after || r.Outcome != b.class.Outcome() {
		t.Errorf("got %s %q in %q after %s (%s), want %q in %q after %s",
			r.Outcome, r.Class, r.FailedPhase, r.Elapsed, r.Detail, b.class, b.phase, b.after)
	}
}

// discreet fails unless what people are shown is short, printable and without
// any piece of a secret, plain or in base64.
func discreet(t *testing.T, r checks.Result) {
	t.Helper()
	shown := []string{r.Detail}
	if p := r.Presented; p != nil {
		shown = slices.Concat(shown, []string{p.Banner, p.Protocol}, p.Capabilities, p.Replies, p.Answers)
	}
	if r.TLS != nil {
		for _, c := range r.TLS.Chain {
			shown = append(append(shown, c.Subject, c.Issuer), c.Names...)
		}
	}
	all := pieces()
	for _, words := range shown {
		if utf8.RuneCountInString(words) > checks.DetailMax || strings.ContainsFunc(words, unprintable) {
			t.Errorf("shown %q, want at most %d printable characters", words, checks.DetailMax)
		}
		if slices.ContainsFunc(all, func(p string) bool { return strings.Contains(words, p) }) {
			t.Errorf("shown %q, want nothing of a secret", words)
		}
	}
}

// pieceMax is how much of a secret would tell somebody something, in bytes.
const pieceMax = 8

// pieces are all of the secrets, in each of the ways in which base64 has them.
func pieces() []string {
	var all []string
	cut := func(s string) {
		for i := range len(s) - pieceMax + 1 {
			all = append(all, s[i:i+pieceMax])
		}
	}
	for _, s := range []string{ct.LabPassword, token} {
		cut(s)
		for shift := range 3 {
			coded := base64.RawStdEncoding.EncodeToString([]byte("xyz"[:shift] + s))
			cut(coded[min(4, 4*shift) : len(coded)-2]) // the ends depend on what stands beside
		}
	}
	return all
}

// slowly is a server that waits before each line that it says.
func slowly(pause time.Duration, c conversation) world {
	return func(t *testing.T, lab *ct.Lab, a ask) {
		var all []ct.Step
		for line := range strings.Lines(string(c)) {
			if strings.HasPrefix(line, "S:") {
				all = append(all, ct.Wait(pause))
			}
			all = append(all, conversation(line).steps(lab)...)
		}
		lab.Play(t, a.port, all...)
	}
}

// lineBySecond is a server that says a line each second.
func lineBySecond(line string) world {
	steps := make([]ct.Step, 120)
	for i := range steps {
		steps[i] = ct.Both(ct.Wait(time.Second), ct.Send(line))
	}
	return plays(steps...)
}
