// Package mesh says which other probes are alive, without a leader and without
// the coordinator. It is the only package that knows memberlist.
//
// What it promises:
//
//   - All members that reach one another agree on who is there: a member that
//     dies is noticed within about 15 s, within 30 s where there are 200, one that
//     leaves within a second.
//   - A split heals by itself within about a minute after the network has:
//     memberlist does not do that, the rejoin loop does.
//   - Everything that is sent is encrypted and authenticated with keys that
//     come from the plan and can be changed while the mesh runs. What was recorded
//     on the wire and is sent again, there or elsewhere, is refused; for that the
//     clocks of the members must not differ by more than five minutes.
//   - Whoever holds the key can keep a living member out for less than a second per
//     message, and none from the Neighbours. He adds no member that Options.Enrolled
//     does not know, at no other place than it says, and has no more sent than
//     memberlist's rhythm of gossip and some answers a second, to members.
//   - Run ends everything that it began, memberlist's goroutines included.
//
// What is not promised: that a member is who it says. Whoever holds the key is
// believed by memberlist, which is why the mesh carries membership and hints
// only, and nothing that a verdict is made of.
package mesh

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"

	"varde/checks"
)

const (
	// DefaultBind is where a mesh listens, over TCP and UDP: at every address,
	// of both families where the machine has both.
	DefaultBind = "[::]:7946"
	// keyBytes is the length of a key: AES-256.
	keyBytes = 32
	// label separates this mesh from other uses of memberlist. It is sent in
	// the clear and is no secret.
	label = "varde"
	// leaveTimeout is how long a member takes to say that it leaves.
	leaveTimeout = 2 * time.Second
	// smallMesh is the number of other members that the plan names at the start below
	// which there is time for one more ProbeInterval of doubt, whoever agrees.
	smallMesh = 16
	// maxHealth is up to how many times slower a member that is not well itself
	// looks after others, before it blames them.
	maxHealth = 4
)

// Options configures a mesh.
type Options struct {
	// Name, Region and Site say who this member is: two ids, and up to 64
	// printable bytes. Site may be empty.
	Name, Region, Site string
	// Bind is IP:port to listen on, DefaultBind if empty; port 0 picks one.
	Bind string
	// Advertise is the IP, or IP:port, that others use. If empty it is that of
	// Bind, or when that is 0.0.0.0 or [::] the first that leads out of the
	// machine; Run fails while there is none.
	Advertise string
	// Keys are of 32 bytes each: all of them decrypt, the first one encrypts.
	// Required.
	Keys [][]byte
	// Network is the machine's own, with streams dialled from the address of
	// Bind, if nil.
	Network Network
	// Seeds returns the addresses (IP:port) of members that there should be;
	// nil means that others will find this one. It must not wait.
	Seeds func() []string
	// Enrolled returns the region of a member, and its address as far as that is
	// known, or that there is no member of this name. What others say of one that
	// differs is refused. Nil where anybody may be a member. It must not wait.
	Enrolled func(name string) (region, address string, ok bool)
	// Standing returns what to tell of this member; nil for nothing. It must not
	// wait.
	Standing func() Standing
	// Receive is given every message that another member sends with Send; nil for
	// none. It must not wait, and may be called from several goroutines.
	Receive func(message []byte)
	// Timing is Production if zero.
	Timing Timing
	// Logger is slog.Default if nil.
	Logger *slog.Logger
}

// Member is a member that is alive as far as we know.
type Member struct {
	Name, Region, Site string
	// Address is where its mesh answers, IP:port.
	Address string
	Standing
}

// Mesh is one member. Its methods may be called from many goroutines, before,
// during and after Run.
type Mesh struct {
	opt             Options
	bind, advertise netip.AddrPort
	ring            *memberlist.Keyring
	changed         chan struct{}
	// restand says that Standing may answer differently.
	restand  chan struct{}
	messages *messages
	// accusers waits to be told that this member is alive.
	accusers chan string
	// lines waits to be logged: memberlist tells of members under its own locks,
	// and a log may block. 64 is more than come at once; the rest is not logged.
	lines  chan line
	keysMu sync.Mutex // held by SetKeys

	mu         sync.Mutex // protects all following fields
	started    bool
	running    bool
	begun      time.Time
	address    string
	members    map[string]Member
	neighbours map[string]settling
	changedAt  time.Time
	// conflicts is when two members of a name were last told of, and moves when one
	// was first seen where the plan does not have it.
	conflicts, moves map[string]time.Time
	known            map[string]whereabouts
	// protested is when each member that accused this one was answered.
	protested map[string]time.Time
	// accompanied is since when there is another member.
	accompanied time.Time
	// list and transport are there while it runs.
	list      *memberlist.Memberlist
	transport *transport
	seenFrom  netip.Addr
}

// New returns a member that does nothing before Run.
func New(opt Options) (*Mesh, error) {
	opt.Bind = cmp.Or(opt.Bind, DefaultBind)
	if opt.Timing == (Timing{}) {
		opt.Timing = Production()
	}
	if opt.Logger == nil {
		opt.Logger = slog.Default()
	}
	if opt.Seeds == nil {
		opt.Seeds = func() []string { return nil }
	}
	if opt.Enrolled == nil {
		opt.Enrolled = func(string) (string, string, bool) { return "", "", true }
	}
	if opt.Standing == nil {
		opt.Standing = func() Standing { return Standing{} }
	}
	if !checks.ValidID(opt.Name) {
		return nil, fmt.Errorf("mesh: name %q, expected an id", opt.Name)
	}
	if err := validate(opt.Region, opt.Site); err != nil {
		return nil, fmt.Errorf("mesh: %w", err)
	}
	if !opt.Timing.isSet() {
		return nil, errors.New("mesh: timing is incomplete")
	}
	m := &Mesh{
		opt: opt, changed: make(chan struct{}, 1), lines: make(chan line, 64),
		restand: make(chan struct{}, 1), messages: newMessages(opt.Receive),
		members: map[string]Member{}, neighbours: map[string]settling{}, conflicts: map[string]time.Time{}, moves: map[string]time.Time{},
		known: map[string]whereabouts{}, accusers: make(chan string, maxProtests), protested: map[string]time.Time{},
	}
	if err := m.parseAddresses(); err != nil {
		return nil, err
	}
	if err := checkKeys(opt.Keys); err != nil {
		return nil, err
	}
	var err error
	if m.ring, err = memberlist.NewKeyring(opt.Keys, opt.Keys[0]); err != nil {
		return nil, fmt.Errorf("mesh: %w", err)
	}
	return m, nil
}

func (m *Mesh) parseAddresses() error {
	var err error
	if m.bind, err = netip.ParseAddrPort(m.opt.Bind); err != nil {
		return fmt.Errorf("mesh: bind %q, expected IP:port", m.opt.Bind)
	}
	if a, err := netip.ParseAddr(m.opt.Advertise); err == nil {
		m.advertise = netip.AddrPortFrom(a, 0)
	} else if m.advertise, err = netip.ParseAddrPort(m.opt.Advertise); err != nil && m.opt.Advertise != "" {
		return fmt.Errorf("mesh: advertise %q, expected IP or IP:port", m.opt.Advertise)
	}
	a := m.advertise.Addr()
	if a.IsValid() && (a.IsUnspecified() || a.IsMulticast() || a.IsLoopback() && !m.bind.Addr().IsLoopback()) {
		return fmt.Errorf("mesh: advertise %q, expected an address that others can reach", m.opt.Advertise)
	}
	if m.opt.Network == nil {
		s := System{}
		if !m.bind.Addr().IsUnspecified() {
			s.Source = m.bind.Addr()
		}
		m.opt.Network = s
	}
	return nil
}

func checkKeys(keys [][]byte) error {
	if len(keys) == 0 {
		return errors.New("mesh: no key, expected at least one")
	}
	for i, k := range keys {
		if len(k) != keyBytes {
			return fmt.Errorf("mesh: key %d has %d bytes, expected %d", i, len(k), keyBytes)
		}
	}
	return nil
}

// Run takes part in the mesh until ctx ends, then leaves it and returns nil. It
// fails when it cannot listen. A mesh runs once.
func (m *Mesh) Run(ctx context.Context) error {
	m.mu.Lock()
	again := m.started
	m.started = true
	m.mu.Unlock()
	if again {
		return errors.New("mesh: was run before")
	}
	t, err := newTransport(ctx, m.opt.Network, newGate(m), m.bind, m.advertise, m.opt.Logger)
	if err != nil {
		return err
	}
	m.begin(t)
	var logging sync.WaitGroup
	logging.Go(m.log)
	defer logging.Wait()
	defer m.end()
	list, err := memberlist.Create(m.config(t))
	if err != nil {
		return errors.Join(fmt.Errorf("start mesh: %w", err), t.Shutdown())
	}
	m.mu.Lock()
	m.list = list
	m.mu.Unlock()
	logging.Go(func() { m.tellStanding(ctx, list) })
	logging.Go(func() { m.exchange(ctx, list) })
	for range maxProtests {
		logging.Go(func() { m.protest(ctx, list) })
	}
	defer context.AfterFunc(ctx, func() { t.closeStreams(false) })()
	m.opt.Logger.Info("mesh listens", "bind", m.bind.String(), "advertise", t.advertise.String())
	m.rejoin(ctx, list)
	return m.leave(list)
}

// leave says good-bye, closes everything, and waits for the one thing that
// memberlist cannot be told to give up: a probe of another member, which ends
// one probe interval after it began, longer by its own health.
func (m *Mesh) leave(list *memberlist.Memberlist) error {
	if err := list.Leave(leaveTimeout); err != nil {
		m.opt.Logger.Debug("leave mesh", "error", err)
	}
	err := list.Shutdown()
	time.Sleep(m.opt.Timing.ProbeInterval * time.Duration(list.GetHealthScore()+1))
	if err != nil {
		return fmt.Errorf("stop mesh: %w", err)
	}
	return nil
}

func (m *Mesh) config(t *transport) *memberlist.Config {
	c := memberlist.DefaultWANConfig()
	tm := m.opt.Timing
	c.Name, c.Label, c.Transport, c.Keyring = m.opt.Name, label, t, m.ring
	c.GossipVerifyIncoming, c.GossipVerifyOutgoing = true, true
	c.ProbeInterval, c.ProbeTimeout = tm.ProbeInterval, tm.ProbeTimeout
	c.SuspicionMult, c.SuspicionMaxTimeoutMult = tm.SuspicionMult, tm.SuspicionMaxMult
	if len(m.opt.Seeds()) < smallMesh {
		c.SuspicionMult, c.SuspicionMaxTimeoutMult = tm.SuspicionMult+1, 1
	}
	c.GossipInterval, c.GossipNodes, c.RetransmitMult = tm.GossipInterval, tm.GossipNodes, passes
	c.PushPullInterval, c.GossipToTheDeadTime = 0, tm.DeadTime // exchange does the former
	c.TCPTimeout, c.AwarenessMaxMultiplier = tm.StreamTimeout, maxHealth
	// A probe that died and comes back elsewhere takes its name with it.
	c.DeadNodeReclaimTime = time.Millisecond
	c.EnableCompression = false // the gate lets nothing compressed through
	d := delegate{m}
	c.Delegate, c.Events, c.Alive, c.Conflict = d, d, d, d
	// The discarding logger does not even format.
	c.Logger = log.New(io.Discard, "", 0)
	if h := m.opt.Logger.Handler(); h.Enabled(context.Background(), slog.LevelDebug) {
		c.Logger = slog.NewLogLogger(h, slog.LevelDebug)
	}
	return c
}

func (m *Mesh) begin(t *transport) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.messages.queue = &memberlist.TransmitLimitedQueue{
		NumNodes: m.size, RetransmitMult: passes,
	}
	m.transport, m.address = t, t.advertise.String()
	m.running, m.begun, m.changedAt = true, time.Now(), time.Now()
}

// end forgets the members and takes no more news: memberlist may still tell of
// some.
func (m *Mesh) end() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.running, m.list, m.transport = false, nil, nil
	clear(m.members)
	clear(m.neighbours)
	close(m.lines)
}

// line is one line of the log.
type line struct {
	level   slog.Level
	message string
	args    []any
}

func (m *Mesh) log() {
	for l := range m.lines {
		m.opt.Logger.Log(context.Background(), l.level, l.message, l.args...) //nolint:sloglint // every line is a constant where it is made
	}
}

// tellLocked logs a line soon, while the mesh runs. mu is held.
func (m *Mesh) tellLocked(level slog.Level, message string, args ...any) {
	if !m.running {
		return
	}
	select {
	case m.lines <- line{level, message, args}:
	default:
	}
}

// Changed is signalled after Members or Neighbours changed. One signal may stand
// for many changes.
func (m *Mesh) Changed() <-chan struct{} { return m.changed }

// Address is where other members reach this one, IP:port; empty before Run has
// begun to listen.
func (m *Mesh) Address() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.address
}

// SetKeys changes the keys: all of them decrypt from now on, the first one
// encrypts, all others are forgotten. To change the key of a running mesh
// without losing members, first let everybody decrypt with the new key, then
// encrypt with it, then forget the old one.
func (m *Mesh) SetKeys(keys [][]byte) error {
	if err := checkKeys(keys); err != nil {
		return err
	}
	m.keysMu.Lock()
	defer m.keysMu.Unlock()
	add := func() (err error) {
		for _, k := range keys {
			err = errors.Join(err, m.ring.AddKey(k))
		}
		return err
	}
	err := errors.Join(add(), m.ring.UseKey(keys[0]))
	// From the end, and all of them: RemoveKey moves the keys behind the one it
	// removes while others may be reading them. What was wanted is put back.
	if slices.ContainsFunc(m.ring.GetKeys(), func(k []byte) bool { return !contains(keys, k) }) {
		old := m.ring.GetKeys()
		for i := len(old) - 1; i > 0; i-- {
			err = errors.Join(err, m.ring.RemoveKey(old[i]))
		}
		err = errors.Join(err, add())
	}
	if err != nil {
		return fmt.Errorf("change keys of the mesh: %w", err)
	}
	return nil
}

func contains(keys [][]byte, key []byte) bool {
	return slices.ContainsFunc(keys, func(k []byte) bool { return string(k) == string(key) })
}
