package ingest_test

import (
	"crypto/tls"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"varde/coordinator/internal/ingest"
	vardev1 "varde/proto/varde/v1"
	"varde/proto/wire"
)

func TestWhoMayCallWhat(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, newMemory())
		w.authority.add(ingest.Peer{Name: "osl-1", Region: "eu-north"})
		stop := w.coordinate()
		defer stop()
		stranger := &tls.Config{RootCAs: w.ca.Pool(), ServerName: wire.CoordinatorName}
		expired := w.clientTLS("osl-1", "eu-north", time.Minute)
		time.Sleep(time.Hour)
		enrol := wire.EnrolRequestToProto(wire.EnrolRequest{Secret: [16]byte{1}, Request: []byte("csr"), Recipient: "age1x"})
		for _, c := range []struct {
			name                string
			tls                 *tls.Config
			enrol, renew, watch codes.Code
		}{
			{"nobody", stranger, codes.OK, codes.Unauthenticated, codes.Unauthenticated},
			{"a probe", w.clientTLS("osl-1", "eu-north", 0), codes.OK, codes.OK, codes.OK},
			{"a probe that was away", expired, codes.OK, codes.OK, codes.Unauthenticated},
			{"a removed probe", w.clientTLS("gone-1", "eu-north", 0), codes.OK, codes.PermissionDenied, codes.PermissionDenied},
		} {
			conn := w.dial(c.tls)
			fleet := vardev1.NewFleetServiceClient(conn)
			_, err := vardev1.NewEnrolmentServiceClient(conn).Enrol(t.Context(), enrol)
			if status.Code(err) != c.enrol {
				t.Errorf("%s enrols: %v, want %s", c.name, err, c.enrol)
			}
			_, err = fleet.Renew(t.Context(), &vardev1.RenewRequest{CertificateRequest: []byte("csr")})
			if status.Code(err) != c.renew {
				t.Errorf("%s renews: %v, want %s", c.name, err, c.renew)
			}
			w.plans.set(wire.PlanNumber{Generation: 1, Revision: 1}, "osl-1")
			plan, err := fleet.WatchPlan(t.Context(), &vardev1.WatchPlanRequest{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err = plan.Recv(); status.Code(err) != c.watch {
				t.Errorf("%s watches plans: %v, want %s", c.name, err, c.watch)
			}
			if c.watch != codes.OK {
				w.talk(conn).ended(c.watch)
			}
			conn.Close()
		}
	})
}

func TestEnrolmentAnswers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, newMemory())
		stop := w.coordinate()
		defer stop()
		client := vardev1.NewEnrolmentServiceClient(w.dial(&tls.Config{RootCAs: w.ca.Pool(), ServerName: wire.CoordinatorName}))
		good := wire.EnrolRequest{Secret: [16]byte{1}, Request: []byte("csr"), Recipient: "age1x"}
		used, broken, empty := good, good, good
		used.Secret[0], broken.Secret[0], empty.Request = 2, 3, nil
		for _, c := range []struct {
			r    wire.EnrolRequest
			code codes.Code
			text string
		}{
			{good, codes.OK, ""},
			{used, codes.PermissionDenied, "this token was used already"},
			{broken, codes.Internal, "internal error of the coordinator"}, // and nothing of the path in it
			{empty, codes.InvalidArgument, "certificate_request: 0 bytes, expected 1 to 16384"},
		} {
			m, err := client.Enrol(t.Context(), wire.EnrolRequestToProto(c.r))
			if status.Code(err) != c.code || status.Convert(err).Message() != c.text {
				t.Errorf("got %v, want %s %q", err, c.code, c.text)
			}
			if e, err := wire.EnrolmentFromProto(m); c.code == codes.OK && (err != nil || e.Name != "osl-1") {
				t.Errorf("enrolment %+v, %v", e, err)
			}
		}
		_, err := client.Enrol(t.Context(), &vardev1.EnrolRequest{Recipient: strings.Repeat("x", 5<<20)})
		if status.Code(err) != codes.ResourceExhausted {
			t.Errorf("a message of 5 MB: %v", err)
		}
	})
}

// TestExpiryEndsAStream: a stream may outlive the certificate that opened it by
// a minute at most.
func TestExpiryEndsAStream(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, newMemory())
		w.authority.add(ingest.Peer{Name: "osl-1", Region: "eu-north"})
		stop := w.coordinate()
		defer stop()
		k := w.talk(w.dial(w.clientTLS("osl-1", "eu-north", 90*time.Second)))
		k.resume("e1")
		k.mark("e1", 0)
		opened := time.Now()
		select {
		case err := <-k.end:
			if took := time.Since(opened).Round(time.Second); status.Code(err) != codes.Unauthenticated || took != 2*time.Minute {
				t.Errorf("ended with %v after %s, want Unauthenticated after 2m", err, took)
			}
		case <-time.After(time.Hour):
			t.Error("stream goes on")
		}
	})
}

func TestPlansAreStreamed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, newMemory())
		w.authority.add(ingest.Peer{Name: "osl-1", Region: "eu-north"})
		stop := w.coordinate()
		n := func(g, r uint64) wire.PlanNumber { return wire.PlanNumber{Generation: g, Revision: r} }
		s, err := vardev1.NewFleetServiceClient(w.dial(w.clientTLS("osl-1", "eu-north", 0))).
			WatchPlan(t.Context(), &vardev1.WatchPlanRequest{Generation: 1, Revision: 7})
		if err != nil {
			t.Fatal(err)
		}
		got := make(chan string, 10)
		end := make(chan error, 1)
		go func() {
			for {
				m, err := s.Recv()
				if err != nil {
					end <- err
					return
				}
				p := wire.SignedPlanFromProto(m.GetPlan())
				got <- string(p.Plan) + string(p.Signature) + string(p.Bundles["osl-1"])
			}
		}()
		for _, step := range []struct {
			number wire.PlanNumber
			known  string
			want   wire.PlanNumber
		}{
			{n(1, 7), "osl-1", wire.PlanNumber{}}, // it has that
			{n(1, 8), "osl-1", n(1, 8)},
			{n(1, 9), "syd-1", wire.PlanNumber{}}, // not in it yet
			{n(1, 10), "osl-1", n(1, 10)},
			{n(1, 2), "osl-1", wire.PlanNumber{}},
			{n(2, 1), "osl-1", n(2, 1)},
		} {
			time.Sleep(time.Minute)
			w.plans.set(step.number, step.known)
			time.Sleep(time.Nanosecond)
			select {
			case p := <-got:
				if p != fmt.Sprint(step.want)+"sosl-1" {
					t.Errorf("after plan %v came %q", step.number, p)
				}
			default:
				if step.want != (wire.PlanNumber{}) {
					t.Errorf("plan %v did not come", step.number)
				}
			}
		}
		w.authority.remove("osl-1")
		if err := <-end; status.Code(err) != codes.PermissionDenied {
			t.Errorf("after its removal: %v", err)
		}
		stop()
	})
}
