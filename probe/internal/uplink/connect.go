package uplink

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	vardev1 "varde/proto/varde/v1"
)

// maxMessage bounds what a coordinator can send: a plan of 5,000 checks has
// about 2 MB.
const maxMessage = 16 << 20

// connect dials one coordinator and shakes hands. The handshake is made here
// and not inside of gRPC, so that what goes wrong is known as it is, and so
// that a connection which breaks is an end and not silently another one.
func connect(ctx context.Context, dial func(context.Context, string) (net.Conn, error), config *tls.Config, address string) (*grpc.ClientConn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	raw, err := dial(ctx, address)
	if err != nil {
		return nil, err // names the address
	}
	config = config.Clone()
	config.NextProtos = []string{"h2"} // gRPC's server insists on it
	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", address, err), raw.Close())
	}
	var used atomic.Bool
	cc, err := grpc.NewClient("passthrough:///"+address,
		grpc.WithTransportCredentials(insecure.NewCredentials()), // conn is TLS already
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) {
			if used.Swap(true) {
				return nil, errors.New("connection to the coordinator ended")
			}
			return conn, nil
		}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 20 * time.Second, Timeout: 10 * time.Second}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage)),
		grpc.WithDisableServiceConfig(), grpc.WithIdleTimeout(0))
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return cc, nil
}

// Enrolment is what a coordinator gives to a new probe.
type Enrolment struct {
	// Chain is DER, leaf first.
	Chain              [][]byte
	Name, Region, Site string
	// PlanKey is the Ed25519 key that plans are signed with.
	PlanKey      []byte
	Coordinators []string
}

// EnrolRequest redeems a token.
type EnrolRequest struct {
	TokenID, TokenSecret [16]byte
	// CSR is PKCS #10, DER.
	CSR []byte
	// Recipient is the age key that secrets are sealed to.
	Recipient string
}

// Enrol asks one address after another until one answers. A refusal is the
// coordinator's own sentence and is final.
func Enrol(ctx context.Context, dial func(context.Context, string) (net.Conn, error), config *tls.Config, addresses []string, r EnrolRequest) (Enrolment, error) {
	var out Enrolment
	err := call(ctx, dial, config, addresses, func(ctx context.Context, cc *grpc.ClientConn) error {
		resp, err := vardev1.NewEnrolmentServiceClient(cc).Enrol(ctx, &vardev1.EnrolRequest{
			TokenId: r.TokenID[:], TokenSecret: r.TokenSecret[:],
			CertificateRequest: r.CSR, Recipient: r.Recipient,
		})
		out = Enrolment{
			Chain: resp.GetCertificateChain(), Name: resp.GetName(), Region: resp.GetRegion(),
			Site: resp.GetSite(), PlanKey: resp.GetPlanKey(), Coordinators: resp.GetCoordinators(),
		}
		return err
	})
	return out, err
}

// Renew asks for the next certificate (DER chain, leaf first) with a PKCS #10
// request. It uses a connection of its own, because an expired certificate is
// good for nothing else.
func (u *Uplink) Renew(ctx context.Context, csr []byte) (chain [][]byte, err error) {
	err = call(ctx, u.opts.Dial, u.opts.TLS(), u.opts.Coordinators(), func(ctx context.Context, cc *grpc.ClientConn) error {
		resp, err := vardev1.NewFleetServiceClient(cc).Renew(ctx, &vardev1.RenewRequest{CertificateRequest: csr})
		chain = resp.GetCertificateChain()
		return err
	})
	return chain, err
}

// call makes one call to the first address that answers.
func call(ctx context.Context, dial func(context.Context, string) (net.Conn, error), config *tls.Config, addresses []string, do func(context.Context, *grpc.ClientConn) error) error {
	var errs []error
	for _, address := range addresses {
		cc, err := connect(ctx, dial, config, address)
		if err == nil {
			ctx, cancel := context.WithTimeout(ctx, ackTimeout)
			err = do(ctx, cc)
			cancel()
			_ = cc.Close() // the answer is there, or there is none
			if err == nil || final(err) {
				return plain(err)
			}
			err = fmt.Errorf("%s: %w", address, plain(err))
		}
		errs = append(errs, err)
	}
	return fmt.Errorf("no coordinator answers: %w", join(errs))
}

// final says whether another coordinator would answer the same.
func final(err error) bool {
	switch status.Code(err) {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled, codes.Internal, codes.Unknown:
		return false
	}
	return true
}

// plain is an error of gRPC as the coordinator worded it.
func plain(err error) error {
	if s, ok := status.FromError(err); ok && err != nil {
		return errors.New(s.Message())
	}
	return err
}

// join is errors.Join on one line.
func join(errs []error) error {
	if len(errs) == 1 {
		return errs[0]
	}
	words := make([]string, len(errs))
	for i, err := range errs {
		words[i] = err.Error()
	}
	return errors.New(strings.Join(words, "; "))
}
