package uplink_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"varde/probe/internal/uplink"
	"varde/probe/uplinktest"
	vardev1 "varde/proto/varde/v1"
	"varde/proto/wire"
)

// refuse answers the handshake of a client and then its certificate with no.
func refuse(c net.Conn, cert tls.Certificate) {
	s := tls.Server(c, &tls.Config{
		Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequireAnyClientCert, NextProtos: []string{"h2"},
		VerifyConnection: func(tls.ConnectionState) error { return errors.New("not this one") },
	})
	_ = s.Handshake() // fails, and has told the client so
	s.Close()
}

func TestEnrol(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, k := newWorld(t), newKeeper()
		want := wire.Enrolment{
			Chain: [][]byte{{1}, {2}}, Name: "osl-1", Region: "eu-north", Site: "oslo",
			PlanKey: make([]byte, 32), Coordinators: []string{first},
		}
		var got wire.EnrolRequest
		calls := 0
		k.enrol = func(m *vardev1.EnrolRequest) (*vardev1.EnrolResponse, error) {
			calls++
			var err error
			if got, err = wire.EnrolRequestFromProto(m); err != nil {
				return nil, err
			}
			switch got.Secret[0] {
			case 8:
				return nil, status.Error(codes.PermissionDenied, "this token was used already")
			case 9:
				return &vardev1.EnrolResponse{}, nil
			}
			return wire.EnrolmentToProto(want), nil
		}
		o := uplink.EnrolOptions{
			Token: wire.Token{ID: [16]byte{7}, Secret: [16]byte{1}, Coordinators: []string{first, second}}, TLS: func(string) *tls.Config { return w.clientTLS() }, Dial: w.dial,
		}
		request := wire.EnrolRequest{Request: []byte("csr"), Recipient: "age1x"}
		_, err := uplink.Enrol(t.Context(), o, request)
		if err == nil || err.Error() != "no coordinator answers at "+first+", "+second+": connection refused" {
			t.Errorf("without coordinators: %v", err)
		}
		silent := w.listen(first)
		defer silent.Close()
		_, err = uplink.Enrol(t.Context(), o, request)
		if err == nil || err.Error() != "no coordinator answers at "+first+": connected, and no TLS handshake within 10s; "+second+": connection refused" {
			t.Errorf("with one that is silent: %v", err)
		}
		defer w.serve(second, k)()
		e, err := uplink.Enrol(t.Context(), o, request)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, e); d != "" {
			t.Errorf("enrolment (-want +got):\n%s", d)
		}
		if got.TokenID != o.Token.ID || got.Secret != o.Token.Secret || string(got.Request) != "csr" || got.Recipient != "age1x" || calls != 1 {
			t.Errorf("request %+v in %d calls", got, calls)
		}
		o.Token.Secret[0], o.Token.Coordinators = 8, []string{second, first}
		begin := time.Now()
		_, err = uplink.Enrol(t.Context(), o, request)
		var no *uplink.Refusal
		if !errors.As(err, &no) || err.Error() != second+": coordinator refuses: this token was used already" || time.Since(begin) != 0 {
			t.Errorf("a used token: %v after %s", err, time.Since(begin))
		}
		o.Token.Secret[0], o.Token.Coordinators = 9, []string{second}
		if _, err = uplink.Enrol(t.Context(), o, request); err == nil {
			t.Error("an empty answer: no error")
		}
	})
}

func TestRenew(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, k := newWorld(t), newKeeper()
		k.renew = func(m *vardev1.RenewRequest) (*vardev1.RenewResponse, error) {
			switch string(m.GetCertificateRequest()) {
			case "removed":
				return nil, status.Error(codes.PermissionDenied, "this probe was removed")
			case "broken":
				return nil, status.Error(codes.Internal, "internal error of the coordinator")
			case "slow":
				time.Sleep(time.Hour)
			}
			return &vardev1.RenewResponse{CertificateChain: [][]byte{m.GetCertificateRequest()}}, nil
		}
		u, err := uplink.New(w.options())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := u.Renew(t.Context(), []byte("csr")); err == nil || err.Error() != "no coordinator answers at "+first+": connection refused" {
			t.Errorf("without a coordinator: %v", err)
		}
		stop := w.serve(first, k)
		chain, err := u.Renew(t.Context(), []byte("csr"))
		if err != nil || len(chain) != 1 || string(chain[0]) != "csr" {
			t.Errorf("chain %q, %v", chain, err)
		}
		for request, want := range map[string]string{
			"removed": first + ": coordinator refuses: this probe was removed",
			"broken":  "no coordinator answers at " + first + ": connection ended: internal error of the coordinator",
			"slow":    "no coordinator answers at " + first + ": no answer within 20s",
		} {
			if _, err := u.Renew(t.Context(), []byte(request)); err == nil || err.Error() != want {
				t.Errorf("%s: got %v, want %s", request, err, want)
			}
		}
		stop()
		w.addresses = nil
		if _, err := u.Renew(t.Context(), nil); err == nil {
			t.Error("without an address: no error")
		}
	})
}

// TestLoopback is one run over real sockets and a real clock.
func TestLoopback(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cert, pool := selfSigned(t)
	k := newKeeper()
	acked := make(chan struct{}, 1)
	k.answer = func(k *keeper, _ string, mark uint64) (uint64, bool) {
		if mark == 1500 {
			acked <- struct{}{}
		}
		return mark, true
	}
	defer serve(t, l, cert, k)()
	s := uplinktest.NewSpool("e1")
	s.Add("e1", 1500)
	u, err := uplink.New(uplink.Options{
		Coordinators: func() []string { return []string{l.Addr().String()} },
		TLS:          func() *tls.Config { return &tls.Config{RootCAs: pool, ServerName: wire.CoordinatorName} },
		Spool:        s, State: func() wire.ProbeState { return wire.ProbeState{Epoch: "e1"} },
		PlanNumber: func() wire.PlanNumber { return wire.PlanNumber{} }, OnPlan: func(wire.SignedPlan) error { return nil },
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- u.Run(ctx) }()
	select {
	case <-acked:
	case <-time.After(10 * time.Second):
		t.Errorf("nothing came: %+v", u.Status())
	}
	cancel()
	if err := <-done; err != nil || s.Acked("e1") != 1500 {
		t.Errorf("run: %v, acknowledged %d", err, s.Acked("e1"))
	}
}

// selfSigned is a coordinator's certificate of the real clock's time.
func selfSigned(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{wire.CoordinatorName}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}
