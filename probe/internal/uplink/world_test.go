package uplink_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/peer"

	"varde/checks/checktest"
	"varde/probe/internal/uplink"
	"varde/probe/uplinktest"
	vardev1 "varde/proto/varde/v1"
	"varde/proto/wire"
)

func TestMain(m *testing.M) {
	singleThreaded()
	goleak.VerifyTestMain(m)
}

func bubble(t *testing.T, fn func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, fn)
}

// pass lets time pass and everybody come to rest.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

const (
	first  = "198.51.100.1:7950"
	second = "198.51.100.2:7950"
)

// world has two machines for coordinators and one for a probe.
type world struct {
	t             *testing.T
	net           *checktest.Internet
	probe         *checktest.Host
	coordinators  map[string]*checktest.Host
	ca            *checktest.CA
	spool         *uplinktest.Spool
	changed       sync.Mutex // protects plan and state
	plan          wire.PlanNumber
	plans         []string
	planErr       error
	state         wire.ProbeState
	addresses     []string
	batch, window int
	dials         []time.Time
	relays        []uplink.Relay
}

func newWorld(t *testing.T) *world {
	n := checktest.NewInternet()
	return &world{
		t: t, net: n, ca: checktest.NewCA(), spool: uplinktest.NewSpool("e1"),
		probe: n.Host(netip.MustParseAddr("203.0.113.1")),
		coordinators: map[string]*checktest.Host{
			first: n.Host(netip.MustParseAddr("198.51.100.1")), second: n.Host(netip.MustParseAddr("198.51.100.2")),
		},
		state: wire.ProbeState{Epoch: "e1", Version: "0.1.0"}, addresses: []string{first},
	}
}

func (w *world) options() uplink.Options {
	return uplink.Options{
		Coordinators: func() []string { return w.addresses }, TLS: w.clientTLS, Dial: w.dial, Spool: w.spool,
		State: func() wire.ProbeState {
			w.changed.Lock()
			defer w.changed.Unlock()
			return w.state
		},
		PlanNumber: func() wire.PlanNumber { return w.plan },
		OnPlan: func(p wire.SignedPlan) error {
			w.changed.Lock()
			defer w.changed.Unlock()
			w.plans = append(w.plans, string(p.Plan))
			return w.planErr
		},
		Relays: func() []uplink.Relay { return w.relays },
		Batch:  w.batch, Window: w.window, Logger: slog.New(slog.DiscardHandler),
	}
}

func (w *world) dial(ctx context.Context, address string) (net.Conn, error) {
	w.changed.Lock()
	w.dials = append(w.dials, time.Now())
	w.changed.Unlock()
	return w.probe.DialContext(ctx, "tcp", address)
}

func (w *world) clientTLS() *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{w.ca.Certificate("probe")}, RootCAs: w.ca.Pool(), ServerName: wire.CoordinatorName}
}

// run starts an uplink.
func (w *world) run() (u *uplink.Uplink, stop func()) {
	w.t.Helper()
	u, err := uplink.New(w.options())
	if err != nil {
		w.t.Fatal(err)
	}
	return u, start(w.t, u)
}

// start runs u with the longest pauses there are.
func start(t *testing.T, u *uplink.Uplink) (stop func()) {
	u.SetRandom(func() float64 { return 1 })
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- u.Run(ctx) }()
	return func() {
		t.Helper()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	}
}

// listen opens the port of a coordinator.
func (w *world) listen(address string) net.Listener {
	w.t.Helper()
	l, err := w.coordinators[address].Listen("tcp", address)
	if err != nil {
		w.t.Fatal(err)
	}
	return l
}

// serve starts a coordinator at an address; stop pulls the plug.
func (w *world) serve(address string, k *keeper) (stop func()) {
	w.t.Helper()
	return serve(w.t, w.listen(address), w.ca.Certificate(wire.CoordinatorName), k)
}

func serve(t *testing.T, l net.Listener, cert tls.Certificate, k *keeper) (stop func()) {
	s := grpc.NewServer(
		grpc.Creds(credentials.NewTLS(&tls.Config{Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequestClientCert})),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 10 * time.Second, PermitWithoutStream: true}),
		grpc.WaitForHandlers(true))
	vardev1.RegisterFleetServiceServer(s, k)
	vardev1.RegisterEnrolmentServiceServer(s, k)
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	return func() {
		s.Stop()
		if err := <-done; err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			t.Errorf("serve: %v", err)
		}
	}
}

// keeper is a coordinator in a few lines: it keeps what continues its marks and
// answers everything with the mark. Its fields bend that.
type keeper struct {
	vardev1.UnimplementedFleetServiceServer
	vardev1.UnimplementedEnrolmentServiceServer

	mu     sync.Mutex
	marks  map[string]uint64
	kept   []wire.Batch
	at     []time.Time
	states []time.Time
	clocks []time.Time
	// relays are the ways by which states were said.
	relays []string
	// answer changes the mark sent for a batch; false sends none.
	answer func(k *keeper, epoch string, mark uint64) (uint64, bool)
	// began is called with every stream.
	began func(s grpc.BidiStreamingServer[vardev1.ReportRequest, vardev1.ReportResponse]) error
	plans chan *vardev1.SignedPlan
	enrol func(*vardev1.EnrolRequest) (*vardev1.EnrolResponse, error)
	renew func(*vardev1.RenewRequest) (*vardev1.RenewResponse, error)
	asked []wire.PlanNumber
}

func newKeeper() *keeper { return &keeper{marks: map[string]uint64{}} }

func (k *keeper) Enrol(_ context.Context, m *vardev1.EnrolRequest) (*vardev1.EnrolResponse, error) {
	return k.enrol(m)
}

func (k *keeper) Renew(_ context.Context, m *vardev1.RenewRequest) (*vardev1.RenewResponse, error) {
	return k.renew(m)
}

func (k *keeper) WatchPlan(m *vardev1.WatchPlanRequest, s grpc.ServerStreamingServer[vardev1.WatchPlanResponse]) error {
	k.mu.Lock()
	k.asked = append(k.asked, wire.PlanNumber{Generation: m.GetGeneration(), Revision: m.GetRevision()})
	k.mu.Unlock()
	for {
		select {
		case p := <-k.plans:
			if err := s.Send(&vardev1.WatchPlanResponse{Plan: p}); err != nil {
				return err
			}
		case <-s.Context().Done():
			return s.Context().Err()
		}
	}
}

func (k *keeper) Report(s grpc.BidiStreamingServer[vardev1.ReportRequest, vardev1.ReportResponse]) error {
	if k.began != nil {
		if err := k.began(s); err != nil {
			return err
		}
	}
	for {
		m, err := s.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if mark := k.take(m); mark != nil {
			if err := s.Send(&vardev1.ReportResponse{Kind: &vardev1.ReportResponse_Mark{Mark: mark}}); err != nil {
				return err
			}
		}
	}
}

// take returns the answer to m, nil for none.
func (k *keeper) take(m *vardev1.ReportRequest) *vardev1.Mark {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	var epoch string
	switch kind := m.GetKind().(type) {
	case *vardev1.ReportRequest_State:
		k.states, k.relays = append(k.states, now), append(k.relays, kind.State.GetRelay())
		return nil
	case *vardev1.ReportRequest_ClockReply:
		k.clocks = append(k.clocks, kind.ClockReply.GetProbeTime().AsTime())
		return nil
	case *vardev1.ReportRequest_Resume:
		epoch = kind.Resume.GetEpoch()
	case *vardev1.ReportRequest_Batch:
		b, err := wire.BatchFromProto(kind.Batch)
		if err != nil {
			panic(err)
		}
		epoch = b.Epoch
		if b.First() == k.marks[epoch]+1 {
			k.marks[epoch] = b.Last()
			k.kept, k.at = append(k.kept, b), append(k.at, now)
		}
		if k.answer != nil {
			mark, ok := k.answer(k, epoch, k.marks[epoch])
			if !ok {
				return nil
			}
			return &vardev1.Mark{Epoch: epoch, Seq: mark}
		}
	}
	return &vardev1.Mark{Epoch: epoch, Seq: k.marks[epoch]}
}

// sizes says what was kept, as "epoch first-last".
func (k *keeper) sizes() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	var out []string
	for _, b := range k.kept {
		out = append(out, fmt.Sprintf("%s %d-%d", b.Epoch, b.First(), b.Last()))
	}
	return out
}

func (k *keeper) mark(epoch string) uint64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.marks[epoch]
}

// grpcFrom is the address that a stream comes from.
func grpcFrom(s reportServer) (netip.Addr, bool) {
	p, ok := peer.FromContext(s.Context())
	if !ok {
		return netip.Addr{}, false
	}
	at, err := netip.ParseAddrPort(p.Addr.String())
	return at.Addr(), err == nil
}

// silence says nothing more for as long as somebody listens. It ends with an error:
// the server's clock may end the stream an instant before the client's, and an answer
// in between would be one.
func silence(s reportServer) error {
	<-s.Context().Done()
	return s.Context().Err()
}

// renewed answers a renewal with what it asks for.
func renewed(m *vardev1.RenewRequest) (*vardev1.RenewResponse, error) {
	return &vardev1.RenewResponse{CertificateChain: [][]byte{m.GetCertificateRequest()}}, nil
}
