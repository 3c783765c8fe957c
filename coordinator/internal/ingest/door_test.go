package ingest_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"varde/coordinator/internal/ingest"
	vardev1 "varde/proto/varde/v1"
	"varde/proto/wire"
)

// stranger is the TLS of a caller without a certificate.
func (w *world) stranger() *tls.Config {
	return &tls.Config{RootCAs: w.ca.Pool(), ServerName: wire.CoordinatorName, NextProtos: []string{"h2"}}
}

// connect opens a connection on which gRPC is spoken by hand.
func (w *world) connect(config *tls.Config) net.Conn {
	w.t.Helper()
	w.probes++
	host := w.net.Host(netip.AddrFrom4([4]byte{203, 0, 113, byte(w.probes)}))
	raw, err := host.DialContext(w.t.Context(), "tcp", address1)
	if err != nil {
		w.t.Fatal(err)
	}
	conn := tls.Client(raw, config)
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		w.t.Fatal(err)
	}
	if err := http2.NewFramer(conn, nil).WriteSettings(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { conn.Close() })
	return conn
}

// untilClosed reads until the other side ends the connection and returns how
// long that took, an hour at most.
func untilClosed(conn net.Conn) time.Duration {
	begin := time.Now()
	late := time.AfterFunc(time.Hour, func() { conn.Close() })
	defer late.Stop()
	_, _ = io.Copy(io.Discard, conn)
	return time.Since(begin)
}

// TestStrangerMayNotStay: who shows no certificate of the fleet has ten seconds
// to enrol, and who shows one stays as long as there is something to say.
func TestStrangerMayNotStay(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, newMemory())
		w.authority.add(ingest.Peer{Name: "osl-1", Region: "eu-north"})
		defer w.coordinate()()
		probe, removed := w.clientTLS("osl-1", "eu-north", 0), w.clientTLS("gone-1", "eu-north", 0)
		probe.NextProtos, removed.NextProtos = []string{"h2"}, []string{"h2"}
		for _, c := range []struct {
			name string
			tls  *tls.Config
			want time.Duration
		}{
			{"nobody", w.stranger(), 10 * time.Second},
			{"a removed probe", removed, 10 * time.Second},
			{"a probe that does not answer", probe, 30 * time.Second}, // pinged after 20 s, given 10 s
		} {
			if took := untilClosed(w.connect(c.tls)); took != c.want {
				t.Errorf("%s: connection ended after %s, want %s", c.name, took, c.want)
			}
		}
	})
}

// TestStrangerMayNotSendMuch: gRPC would hold 4 MB of a call before it asks who
// calls.
func TestStrangerMayNotSendMuch(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, newMemory())
		w.authority.add(ingest.Peer{Name: "osl-1", Region: "eu-north"})
		defer w.coordinate()()
		for _, c := range []struct {
			name string
			tls  *tls.Config
			want codes.Code
		}{
			{"nobody", w.stranger(), codes.Unavailable},
			{"a probe", w.clientTLS("osl-1", "eu-north", 0), codes.InvalidArgument},
		} {
			m := &vardev1.EnrolRequest{Recipient: strings.Repeat("x", 1<<20)}
			_, err := vardev1.NewEnrolmentServiceClient(w.dial(c.tls)).Enrol(t.Context(), m)
			if status.Code(err) != c.want {
				t.Errorf("%s sends 1 MB: %v, want %s", c.name, err, c.want)
			}
		}
	})
}

// TestStrangersKeepNobodyOut: the newest gets in, the oldest has to go.
func TestStrangersKeepNobodyOut(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, newMemory())
		w.authority.add(ingest.Peer{Name: "osl-1", Region: "eu-north"})
		defer w.coordinate()()
		first := w.connect(w.stranger())
		time.Sleep(time.Second)
		for range 63 {
			w.connect(w.stranger())
		}
		time.Sleep(time.Second)
		second := make(chan time.Duration, 1)
		go func() { second <- untilClosed(first) }()
		enrol := wire.EnrolRequestToProto(wire.EnrolRequest{Secret: [16]byte{1}, Request: []byte("csr"), Recipient: "age1x"})
		if _, err := vardev1.NewEnrolmentServiceClient(w.dial(w.stranger())).Enrol(t.Context(), enrol); err != nil {
			t.Errorf("enrol among 64 strangers: %v", err)
		}
		if took := <-second; took != 0 {
			t.Errorf("the oldest stayed for %s", took)
		}
		k := w.talk(w.dial(w.clientTLS("osl-1", "eu-north", 0)))
		k.resume("e1")
		k.mark("e1", 0)
	})
}

// TestRefusalsFillNoLog: whoever asks a thousand times is one line a minute.
func TestRefusalsFillNoLog(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, newMemory())
		var log bytes.Buffer
		w.logger = slog.New(slog.NewTextHandler(&log, nil))
		stop := w.coordinate()
		call := func() {
			t.Helper()
			_, err := vardev1.NewFleetServiceClient(w.dial(w.stranger())).Renew(t.Context(), &vardev1.RenewRequest{})
			if status.Code(err) != codes.Unauthenticated {
				t.Fatal(err)
			}
		}
		for range 20 {
			call()
		}
		time.Sleep(time.Minute)
		call()
		stop()
		if n := strings.Count(log.String(), "call refused"); n != 2 || !strings.Contains(log.String(), "unlogged=19") {
			t.Errorf("%d lines, want 2 and that 19 were left out:\n%s", n, log.String())
		}
	})
}

// TestConnectionIsBounded holds what one connection may ask of the coordinator.
func TestConnectionIsBounded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, newMemory())
		w.authority.add(ingest.Peer{Name: "osl-1", Region: "eu-north"})
		defer w.coordinate()()
		conn := w.dial(w.clientTLS("osl-1", "eu-north", 0))
		conn.Connect()
		time.Sleep(time.Second) // the client obeys what it is told
		heavy := metadata.AppendToOutgoingContext(t.Context(), "x", strings.Repeat("y", 17<<10))
		if _, err := vardev1.NewFleetServiceClient(conn).Renew(heavy, &vardev1.RenewRequest{}); status.Code(err) != codes.Internal {
			t.Errorf("a header of 17 kB: %v", err)
		}
		for n := 1; n <= 9; n++ {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(10-n)*time.Second)
			defer cancel() // the last to begin ends first
			_, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true}, vardev1.FleetService_Renew_FullMethodName)
			if (err == nil) != (n <= 8) {
				t.Errorf("call %d: %v", n, err)
			}
		}
	})
}

// TestSilenceAndNoise: a connection that never begins is closed, and one that
// pings more often than our probes do.
func TestSilenceAndNoise(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, newMemory())
		w.authority.add(ingest.Peer{Name: "osl-1", Region: "eu-north"})
		defer w.coordinate()()
		silent, err := w.net.Host(netip.MustParseAddr("203.0.113.201")).DialContext(t.Context(), "tcp", address1)
		if err != nil {
			t.Fatal(err)
		}
		if took := untilClosed(silent); took != 10*time.Second {
			t.Errorf("without a handshake: closed after %s, want 10s", took)
		}
		probe := w.clientTLS("osl-1", "eu-north", 0)
		probe.NextProtos = []string{"h2"}
		for pause, want := range map[time.Duration]bool{0: false, 10 * time.Second: true} {
			conn, closed := w.connect(probe), make(chan time.Duration, 1)
			go func() { closed <- untilClosed(conn) }()
			for range 10 {
				_ = http2.NewFramer(conn, nil).WritePing(false, [8]byte{})
				time.Sleep(pause)
			}
			time.Sleep(5 * time.Second)
			if kept := len(closed) == 0; kept != want {
				t.Errorf("ten pings, one each %s: kept %v, want %v", pause, kept, want)
			}
			conn.Close()
		}
	})
}
