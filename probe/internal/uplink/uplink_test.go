package uplink

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"varde/checks"
	"varde/checks/checktest"
	"varde/probe/internal/spool"
	vardev1 "varde/proto/varde/v1"
	"varde/proto/wire"
)

const address = "10.0.0.1:7950"

// coordinator keeps what it is given, in memory, by the rule of marks.
type coordinator struct {
	vardev1.UnimplementedFleetServiceServer
	vardev1.UnimplementedEnrolmentServiceServer

	mu     sync.Mutex
	marks  map[string]uint64
	kept   []string // "epoch/seq" in order of arrival
	silent bool     // takes batches and says nothing
	forget uint64   // marks go back to this once, as after a restored backup
	clock  int
	states []*vardev1.ProbeState
	plan   *vardev1.SignedPlan
	refuse error
}

func (c *coordinator) Enrol(context.Context, *vardev1.EnrolRequest) (*vardev1.EnrolResponse, error) {
	return &vardev1.EnrolResponse{Name: "osl-1"}, c.refuse
}

func (c *coordinator) WatchPlan(_ *vardev1.WatchPlanRequest, s vardev1.FleetService_WatchPlanServer) error {
	if c.plan != nil {
		if err := s.Send(&vardev1.WatchPlanResponse{Plan: c.plan}); err != nil {
			return err
		}
	}
	<-s.Context().Done()
	return nil
}

func (c *coordinator) Report(s vardev1.FleetService_ReportServer) error {
	if err := s.Send(&vardev1.ReportResponse{Kind: &vardev1.ReportResponse_ClockQuery{ClockQuery: &vardev1.ClockQuery{Id: 7}}}); err != nil {
		return err
	}
	for {
		m, err := s.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if mark := c.take(m); mark != nil {
			if err := s.Send(&vardev1.ReportResponse{Kind: &vardev1.ReportResponse_Mark{Mark: mark}}); err != nil {
				return err
			}
		}
	}
}

func (c *coordinator) take(m *vardev1.ReportRequest) *vardev1.Mark {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch k := m.GetKind().(type) {
	case *vardev1.ReportRequest_State:
		c.states = append(c.states, k.State)
	case *vardev1.ReportRequest_ClockReply:
		c.clock++
	case *vardev1.ReportRequest_Resume:
		return &vardev1.Mark{Epoch: k.Resume.GetEpoch(), Seq: c.marks[k.Resume.GetEpoch()]}
	case *vardev1.ReportRequest_Batch:
		if c.silent {
			return nil
		}
		return c.keep(k.Batch)
	}
	return nil
}

func (c *coordinator) keep(m *vardev1.Batch) *vardev1.Mark {
	b, err := wire.BatchFromProto(m)
	if err != nil {
		panic(err)
	}
	if c.forget > 0 {
		c.marks[b.Epoch], c.forget = c.forget, 0
	} else if b.First() == c.marks[b.Epoch]+1 {
		for _, r := range b.Records {
			c.kept = append(c.kept, fmt.Sprintf("%s/%d", b.Epoch, r.First()))
		}
		c.marks[b.Epoch] = b.Last()
	}
	return &vardev1.Mark{Epoch: b.Epoch, Seq: c.marks[b.Epoch]}
}

func (c *coordinator) got() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.kept)
}

// bench is one uplink and the coordinator that it talks to.
type bench struct {
	t           *testing.T
	net         *checktest.Internet
	host, probe *checktest.Host
	ca          *checktest.CA
	coordinator *coordinator
	dir         string
	spool       *spool.Spool
	uplink      *Uplink
	plans       []wire.SignedPlan
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, net: checktest.NewInternet(), ca: checktest.NewCA(), dir: t.TempDir(), coordinator: &coordinator{marks: map[string]uint64{}}}
	b.host = b.net.Host(netip.MustParseAddr("10.0.0.1"))
	b.probe = b.net.Host(netip.MustParseAddr("10.0.0.2"))
	return b
}

// serve runs the coordinator until the returned function is called.
func (b *bench) serve() (stop func()) {
	l, err := b.host.Listen("tcp", address)
	if err != nil {
		b.t.Fatal(err)
	}
	srv := grpc.NewServer(grpc.Creds(credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{b.ca.Certificate(wire.CoordinatorName)}, MinVersion: tls.VersionTLS13,
	})))
	vardev1.RegisterFleetServiceServer(srv, b.coordinator)
	vardev1.RegisterEnrolmentServiceServer(srv, b.coordinator)
	done := make(chan error)
	go func() { done <- srv.Serve(l) }()
	return func() {
		srv.Stop()
		if err := <-done; err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			b.t.Error(err)
		}
	}
}

func (b *bench) tls() *tls.Config {
	return &tls.Config{RootCAs: b.ca.Pool(), ServerName: wire.CoordinatorName, MinVersion: tls.VersionTLS13}
}

func (b *bench) dial(ctx context.Context, address string) (net.Conn, error) {
	return b.probe.DialContext(ctx, "tcp", address)
}

// open opens the spool with a new epoch and makes the uplink.
func (b *bench) open(epoch string) {
	b.t.Helper()
	var err error
	b.spool, err = spool.Open(spool.Options{Dir: b.dir, Epoch: epoch, NoSync: true, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.t.Fatal(err)
	}
	b.uplink, err = New(Options{
		Dial: b.dial, Coordinators: func() []string { return []string{address} }, TLS: b.tls, Spool: b.spool,
		State:      func() State { return State{Epoch: epoch, Version: "test", Qualified: true} },
		PlanNumber: func() wire.PlanNumber { return wire.PlanNumber{} },
		OnPlan:     func(s wire.SignedPlan) error { b.plans = append(b.plans, s); return nil },
		Logger:     slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

// run runs the uplink until the returned function is called.
func (b *bench) run() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- b.uplink.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			b.t.Error(err)
		}
		if err := b.spool.Close(); err != nil {
			b.t.Error(err)
		}
	}
}

func (b *bench) observe(n int) {
	b.t.Helper()
	for range n {
		if _, err := b.spool.Append(checks.Observation{
			Check: "imap", Service: "imap", Family: checks.IPv4, Scheduled: time.Now(), Started: time.Now(),
			Every: time.Minute, Result: checks.Result{Outcome: checks.Up},
		}); err != nil {
			b.t.Fatal(err)
		}
	}
}

func sequence(epoch string, n int) (out []string) {
	for i := 1; i <= n; i++ {
		out = append(out, fmt.Sprintf("%s/%d", epoch, i))
	}
	return out
}

func (b *bench) expect(want ...string) {
	b.t.Helper()
	if got := b.coordinator.got(); !slices.Equal(got, want) {
		b.t.Errorf("coordinator has %v, want %v", got, want)
	}
}

func TestRecordsArriveWithinTheAgeOfABatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.serve()()
		b.open("0001-a")
		defer b.run()()
		time.Sleep(time.Second)
		for range 4 { // a stream of them does not put the batch off
			b.observe(1)
			time.Sleep(200 * time.Millisecond)
		}
		synctest.Wait()
		if got := len(b.coordinator.got()); got < 3 {
			t.Errorf("800 ms after the first of four records %d were there, want at least the 3 older than 500 ms at the time of sending", got)
		}
		time.Sleep(time.Second)
		b.expect(sequence("0001-a", 4)...)
		if s := b.spool.Stats(); s.Records != 0 {
			t.Errorf("%d records left in the spool, want none", s.Records)
		}
		if s := b.uplink.Status(); !s.Connected || s.Coordinator != address || s.LastAck.IsZero() {
			t.Errorf("status %+v, want connected", s)
		}
		if b.coordinator.clock != 1 || len(b.coordinator.states) != 1 || !b.coordinator.states[0].GetQualified() {
			t.Errorf("%d clock replies and states %v, want one of each", b.coordinator.clock, b.coordinator.states)
		}
	})
}

func TestOlderEpochsGoFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.open("0001-a")
		b.observe(3)
		if err := b.spool.Close(); err != nil {
			t.Fatal(err)
		}
		defer b.serve()()
		b.open("0002-b")
		b.observe(2)
		defer b.run()()
		time.Sleep(5 * time.Second)
		b.expect(append(sequence("0001-a", 3), sequence("0002-b", 2)...)...)
	})
}

func TestTenMinutesWithoutCoordinator(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		stop := b.serve()
		b.open("0001-a")
		defer b.run()()
		time.Sleep(time.Second)
		b.observe(5)
		time.Sleep(time.Second)
		stop()
		for range 60 {
			b.observe(1)
			time.Sleep(10 * time.Second)
		}
		if s := b.uplink.Status(); s.Connected || !strings.Contains(s.LastError, "refused") {
			t.Errorf("status %+v, want not connected because refused", s)
		}
		defer b.serve()()
		time.Sleep(31 * time.Second) // the longest pause between attempts
		b.expect(sequence("0001-a", 65)...)
	})
}

func TestSilentCoordinatorIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.coordinator.silent = true
		defer b.serve()()
		b.open("0001-a")
		b.observe(1)
		defer b.run()()
		time.Sleep(ackTimeout - time.Second)
		if s := b.uplink.Status(); !s.Connected {
			t.Fatalf("status %+v, want still connected", s)
		}
		time.Sleep(time.Second + time.Millisecond/2) // the shortest pause is 1 ms
		if s := b.uplink.Status(); !strings.Contains(s.LastError, "nothing acknowledged for 30s") {
			t.Errorf("status %+v, want it left for its silence", s)
		}
		b.coordinator.mu.Lock()
		b.coordinator.silent = false
		b.coordinator.mu.Unlock()
		time.Sleep(31 * time.Second)
		b.expect("0001-a/1")
	})
}

func TestMarkThatGoesBackIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.serve()()
		b.open("0001-a")
		b.observe(10)
		defer b.run()()
		time.Sleep(2 * time.Second)
		b.coordinator.mu.Lock()
		b.coordinator.forget, b.coordinator.kept = 4, nil
		b.coordinator.mu.Unlock()
		b.observe(1)
		time.Sleep(5 * time.Second)
		// 5 to 10 were acknowledged before and are gone: one gap stands for them.
		b.expect("0001-a/5", "0001-a/11")
	})
}

func TestRestIsHandedOverAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.serve()()
		b.open("0001-a")
		stop := b.run()
		time.Sleep(time.Second)
		b.observe(3)
		began := time.Now()
		stop()
		if d := time.Since(began); d > flushTime {
			t.Errorf("the end took %s, want at most %s", d, flushTime)
		}
		b.expect(sequence("0001-a", 3)...)
	})
}

func TestEndIsBoundedWhenTheCoordinatorHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.coordinator.silent = true
		defer b.serve()()
		b.open("0001-a")
		stop := b.run()
		time.Sleep(time.Second)
		b.observe(1)
		began := time.Now()
		stop()
		if d := time.Since(began); d != flushTime {
			t.Errorf("the end took %s, want %s", d, flushTime)
		}
	})
}

func TestPlansAreHandedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.coordinator.plan = &vardev1.SignedPlan{Plan: []byte("p"), Signature: []byte("s"), Bundle: []byte("b")}
		defer b.serve()()
		b.open("0001-a")
		stop := b.run()
		time.Sleep(time.Second)
		stop()
		if len(b.plans) != 1 || string(b.plans[0].Plan) != "p" || string(b.plans[0].Bundle) != "b" {
			t.Errorf("plans %v, want the one that was sent", b.plans)
		}
	})
}

func TestEnrolErrorsArePlain(t *testing.T) {
	other := checktest.NewCA
	for _, tc := range []struct {
		name, want string
		set        func(*bench, *tls.Config)
		addresses  []string
	}{
		{"nobody", "no coordinator answers: dial tcp 10.0.0.1:1: connection refused", nil, []string{"10.0.0.1:1"}},
		{"refused", "this token has expired", func(b *bench, _ *tls.Config) {
			b.coordinator.refuse = status.Error(codes.PermissionDenied, "this token has expired")
		}, []string{address, "10.0.0.1:1"}},
		{"wrong authority", "no coordinator answers: 10.0.0.1:7950: tls: failed to verify certificate: x509: certificate signed by unknown authority",
			func(_ *bench, c *tls.Config) { c.RootCAs = other().Pool() }, []string{address}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				defer b.serve()()
				config := b.tls()
				if tc.set != nil {
					tc.set(b, config)
				}
				_, err := Enrol(t.Context(), b.dial, config, tc.addresses, EnrolRequest{})
				if err == nil || !strings.HasPrefix(err.Error(), tc.want) {
					t.Errorf("got %v, want %s", err, tc.want)
				}
			})
		})
	}
}
