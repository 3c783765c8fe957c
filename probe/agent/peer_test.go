package agent

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"filippo.io/age"

	"varde/checks/checktest"
	"varde/probe/internal/plan"
	"varde/proto/wire"
)

// pair are two probes of a fleet, in two regions, that no coordinator answers.
type pair struct {
	osl, nyc           *station
	recipients         map[string]string
	key                ed25519.PrivateKey
	plan               wire.Plan
	oslAgent, nycAgent *Agent
}

// newPair makes them with the same plan and runs them.
func newPair(t *testing.T, changes ...func(*Options)) *pair {
	t.Helper()
	return newPairIn(t, "us-east", changes...)
}

// newPairIn is newPair with nyc-1 in another region.
func newPairIn(t *testing.T, region string, changes ...func(*Options)) *pair {
	t.Helper()
	p := &pair{osl: newStation(t), recipients: map[string]string{}}
	p.key = p.osl.key
	p.nyc = &station{Lab: p.osl.Lab, dir: t.TempDir(), network: p.osl.Host(netip.MustParseAddr("192.0.2.2")), key: p.key}
	p.osl.dir = t.TempDir() // another life than newStation gave it
	f := newFleet(t)
	p.osl.fleet, p.nyc.fleet = f, f
	p.plan = p.osl.plan
	p.plan.Authorities, p.plan.Checks = [][]byte{f.ca}, nil
	for s, who := range map[*station]wire.Subject{p.osl: {Name: "osl-1", Region: "eu-north"}, p.nyc: {Name: "nyc-1", Region: region}} {
		entry, recipient := f.enrol(t, s.dir, p.key.Public().(ed25519.PublicKey), who)
		entry.MeshAddress = map[string]string{"osl-1": "192.0.2.1:7946", "nyc-1": "192.0.2.2:7946"}[who.Name]
		p.plan.Roster, p.recipients[who.Name] = append(p.plan.Roster, entry), recipient
	}
	signed := p.sign(t)
	for s, name := range map[*station]string{p.osl: "osl-1", p.nyc: "nyc-1"} {
		store, err := plan.Open(plan.Options{Dir: s.dir, Probe: name, Key: p.key.Public().(ed25519.PublicKey)})
		if err == nil {
			_, err = store.Offer(signed)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	p.oslAgent = p.osl.run(t, changes...)
	p.nycAgent = p.nyc.run(t, append(changes, func(o *Options) { o.PeerBind = "0.0.0.0:7947" })...)
	return p
}

// sign makes the plan, with a secret for each probe that names its revision.
func (p *pair) sign(t *testing.T, changes ...func(*wire.Plan)) wire.SignedPlan {
	t.Helper()
	bundles := map[string][]byte{}
	p.plan.Bundles = map[string][32]byte{}
	for _, change := range changes {
		change(&p.plan)
	}
	for name, to := range p.recipients {
		secrets, err := wire.MarshalSecrets(map[string]string{"password": name + " " + string('a'+rune(p.plan.Number.Revision))})
		if err != nil {
			t.Fatal(err)
		}
		recipient, err := age.ParseX25519Recipient(to)
		if err != nil {
			t.Fatal(err)
		}
		var sealed bytes.Buffer
		w, err := age.Encrypt(&sealed, recipient)
		if err == nil {
			_, err = w.Write(secrets)
		}
		if err = errors.Join(err, w.Close()); err != nil {
			t.Fatal(err)
		}
		bundles[name], p.plan.Bundles[name] = sealed.Bytes(), sha256.Sum256(sealed.Bytes())
	}
	signed, err := wire.SignPlan(p.plan, p.key)
	if err != nil {
		t.Fatal(err)
	}
	signed.Bundles = bundles
	return signed
}

// TestPlanThroughAPeer: a probe that no coordinator answers gets the plan that
// another has, and its own secrets with it, as soon as the mesh tells of it.
func TestPlanThroughAPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, brisk)
		time.Sleep(time.Minute)
		if got := p.oslAgent.candidates(); len(got) != 1 || !slices.Equal(got[0].Addresses, []string{"192.0.2.2:7947"}) || got[0].Plan != p.plan.Number || got[0].Coordinator {
			t.Fatalf("candidates %+v, want nyc-1 with the same plan and no coordinator", got)
		}
		if got := p.oslAgent.peerAddress(); got != "" {
			t.Errorf("helps others at %q and does not listen", got)
		}
		if got := p.nycAgent.peerAddress(); got != "192.0.2.2:7947" {
			t.Errorf("helps others at %q", got)
		}
		if err := p.nycAgent.offer(p.sign(t, func(p *wire.Plan) { p.Number.Revision = 2 })); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		if n := p.oslAgent.planNumber(); n.Revision != 2 || p.oslAgent.peers.seeker.Taken() != 1 || p.oslAgent.peers.plansRefused.Load() != 0 {
			t.Errorf("has plan %v after 5s, %d taken and %d refused, want the second", n, p.oslAgent.peers.seeker.Taken(), p.oslAgent.peers.plansRefused.Load())
		}
		_, bundle, _ := p.oslAgent.plans.Current()
		if secrets, err := p.oslAgent.identity.OpenBundle(bundle); err != nil || secrets["password"] != "osl-1 c" {
			t.Errorf("opened %q, %v, want its own secret of the second plan", secrets, err)
		}
	})
}

// TestPeerThatListensLate is found when it does, although nothing else changes.
func TestPeerThatListensLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var taken net.Listener
		p := newPair(t, func(o *Options) {
			o.SlowMesh = false
			if host := o.Network.(*checktest.Host); host.Addrs()[0] == netip.MustParseAddr("192.0.2.2") {
				l, err := host.Listen("tcp", ":7947")
				if err != nil {
					t.Fatal(err)
				}
				taken = l
			}
		})
		time.Sleep(time.Minute)
		if got := p.oslAgent.candidates(); len(got) != 0 {
			t.Fatalf("candidates %+v, want none", got)
		}
		if err := taken.Close(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(retryListen + 5*time.Second)
		if got := p.oslAgent.candidates(); len(got) != 1 {
			t.Errorf("candidates %+v, want nyc-1", got)
		}
	})
}

// TestPlanThroughAPeerWithoutMesh: where the plan said that a probe listens, it is
// asked once a minute.
func TestPlanThroughAPeerWithoutMesh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, func(o *Options) { o.MeshBind = "198.51.100.77:7946" }) // an address of nobody
		at := func(p *wire.Plan) {
			for i := range p.Roster {
				if p.Roster[i].Name == "nyc-1" {
					p.Roster[i].PeerAddress = "192.0.2.2:7947"
				}
			}
		}
		if err := p.oslAgent.offer(p.sign(t, at, func(p *wire.Plan) { p.Number.Revision = 2 })); err != nil {
			t.Fatal(err)
		}
		if err := p.nycAgent.offer(p.sign(t, func(p *wire.Plan) { p.Number.Revision = 3 })); err != nil {
			t.Fatal(err)
		}
		time.Sleep(19 * time.Second)
		if n := p.oslAgent.planNumber(); n.Revision != 2 {
			t.Errorf("has plan %v after 19s", n)
		}
		time.Sleep(2 * time.Second)
		if n := p.oslAgent.planNumber(); n.Revision != 3 {
			t.Errorf("has plan %v after 21s, want the third", n)
		}
	})
}

// TestForeignPlansAreRefused and counted, whoever offers them.
func TestForeignPlansAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		_, other, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		larger := p.sign(t, func(p *wire.Plan) { p.Number.Revision = 9 })
		forged, old, bare := larger, p.sign(t, func(p *wire.Plan) { p.Number.Revision = 1 }), larger
		forged.Plan = append(slices.Clone(forged.Plan), 0)
		bare.Bundles = nil
		foreign := func() wire.SignedPlan { p.key = other; return p.sign(t, func(p *wire.Plan) { p.Number.Revision = 9 }) }()
		for name, s := range map[string]wire.SignedPlan{"forged": forged, "older": old, "foreign": foreign, "without its secrets": bare, "empty": {}} {
			if err := p.oslAgent.offer(s); err == nil {
				t.Errorf("took a plan that is %s", name)
			}
		}
		if n := p.oslAgent.peers.plansRefused.Load(); n != 5 || p.oslAgent.planNumber().Revision != 1 {
			t.Errorf("counted %d refusals, has plan %v, want 5 and the first", n, p.oslAgent.planNumber())
		}
		if err := p.oslAgent.offer(larger); err != nil {
			t.Errorf("the good one: %v", err)
		}
	})
}

// TestPeerPortInUse: a probe that cannot listen for others says so once, and
// listens as soon as it can.
func TestPeerPortInUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStation(t)
		taken, err := s.Client.Listen("tcp", ":7947")
		if err != nil {
			t.Fatal(err)
		}
		a := s.run(t, func(o *Options) { o.PeerBind = "[::]:7947" })
		time.Sleep(10 * time.Minute)
		const want = `component=peer error="/etc/varde/probe.yaml: peer.bind [::]:7947: address already in use" retry=15s`
		if got := s.log.String(); strings.Count(got, want) != 1 || a.peerAddress() != "" {
			t.Errorf("logged\n%s\nwant once %s; told to be at %q", got, want, a.peerAddress())
		}
		if err := taken.Close(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(retryListen + time.Second)
		if got := a.peerAddress(); got != "192.0.2.1:7947" {
			t.Errorf("told to be at %q", got)
		}
	})
}
