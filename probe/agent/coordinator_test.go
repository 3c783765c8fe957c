package agent

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"net"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	"varde/checks"
	vardev1 "varde/proto/varde/v1"
	"varde/proto/wire"
)

// listener is a coordinator that takes what a probe reports and acknowledges it.
type listener struct {
	vardev1.UnimplementedFleetServiceServer
	// seenFrom is where it says that a probe comes from; it does not if empty.
	seenFrom string

	mu  sync.Mutex // protects got
	got []checks.Observation
}

// coordinate starts a coordinator of the fleet behind l, until the test ends.
func (f *fleet) coordinate(t testing.TB, l net.Listener, seenFrom string) *listener {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		DNSNames: []string{wire.CoordinatorName}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		NotBefore: f.root.NotBefore, NotAfter: time.Now().AddDate(0, 0, 30),
	}, f.root, key.Public(), f.key)
	if err != nil {
		t.Fatal(err)
	}
	c := &listener{seenFrom: seenFrom}
	s := grpc.NewServer(grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second}), grpc.Creds(credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{leaf, f.ca}, PrivateKey: key}},
		ClientAuth:   tls.RequireAnyClientCert,
	})))
	vardev1.RegisterFleetServiceServer(s, c)
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
	return c
}

// WatchPlan has no newer plan.
func (c *listener) WatchPlan(_ *vardev1.WatchPlanRequest, s grpc.ServerStreamingServer[vardev1.WatchPlanResponse]) error {
	<-s.Context().Done()
	return nil
}

// Report says where the probe is seen, and acknowledges every batch.
func (c *listener) Report(s grpc.BidiStreamingServer[vardev1.ReportRequest, vardev1.ReportResponse]) error {
	if c.seenFrom != "" {
		if err := s.Send(&vardev1.ReportResponse{Kind: &vardev1.ReportResponse_ClockQuery{ClockQuery: &vardev1.ClockQuery{SeenFrom: c.seenFrom}}}); err != nil {
			return err
		}
	}
	for {
		m, err := s.Recv()
		if err != nil {
			return err
		}
		var mark *vardev1.Mark
		switch k := m.GetKind().(type) {
		case *vardev1.ReportRequest_Resume:
			mark = &vardev1.Mark{Epoch: k.Resume.GetEpoch()}
		case *vardev1.ReportRequest_Batch:
			batch, err := wire.BatchFromProto(k.Batch)
			if err != nil {
				return err
			}
			c.take(batch)
			mark = &vardev1.Mark{Epoch: batch.Epoch, Seq: batch.Last()}
		default:
			continue
		}
		if err := s.Send(&vardev1.ReportResponse{Kind: &vardev1.ReportResponse_Mark{Mark: mark}}); err != nil {
			return err
		}
	}
}

func (c *listener) take(batch wire.Batch) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range batch.Records {
		if r.IsObservation() {
			c.got = append(c.got, r.Observation)
		}
	}
}
