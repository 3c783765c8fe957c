package ingest

import (
	"context"
	"crypto/tls"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	vardev1 "varde/proto/varde/v1"
)

// errExpired is what the holder of an expired certificate hears when it calls
// for anything but the next one.
var errExpired = fmt.Errorf("%w: the certificate has expired and is good for its renewal only", ErrUnauthenticated)

// caller is who calls, and the connection that shows it.
type caller struct {
	Peer
	tls tls.ConnectionState
}

type callerKey struct{}

// callerOf returns what authenticate found out.
func callerOf(ctx context.Context) caller { return ctx.Value(callerKey{}).(caller) }

// authenticate lets anybody call Enrol, the holder of a certificate that can be
// renewed call Renew, and a probe of the roster with a current certificate call
// everything else.
func (i *Ingest) authenticate(ctx context.Context, method string) (context.Context, error) {
	if method == vardev1.EnrolmentService_Enrol_FullMethodName {
		return ctx, nil
	}
	p, ok := peer.FromContext(ctx)
	if !ok {
		return nil, ErrUnauthenticated
	}
	info, ok := p.AuthInfo.(credentials.TLSInfo)
	if !ok {
		return nil, ErrUnauthenticated
	}
	who, err := i.opts.Authority.Peer(ctx, info.State)
	if err != nil {
		return nil, err
	}
	if who.Renewal && method != vardev1.FleetService_Renew_FullMethodName {
		return nil, errExpired
	}
	return context.WithValue(ctx, callerKey{}, caller{who, info.State}), nil
}

func (i *Ingest) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	called, err := i.authenticate(ctx, info.FullMethod)
	if err != nil {
		return nil, i.refuse(ctx, info.FullMethod, "caller", err)
	}
	resp, err := handler(called, req)
	if err != nil {
		return nil, i.refuse(ctx, info.FullMethod, "request", err)
	}
	return resp, nil
}

func (i *Ingest) streaming(srv any, s grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	called, err := i.authenticate(s.Context(), info.FullMethod)
	if err != nil {
		return i.refuse(s.Context(), info.FullMethod, "caller", err)
	}
	if err := handler(srv, authenticated{s, called}); err != nil {
		return i.refuse(s.Context(), info.FullMethod, "stream", err)
	}
	return nil
}

// authenticated is a stream whose context says who calls.
type authenticated struct {
	grpc.ServerStream
	ctx context.Context
}

// Context says who calls.
func (a authenticated) Context() context.Context { return a.ctx }

// refuse turns an error into what the caller is told, counts it, and logs, once
// a minute at most, what an operator may want to know. A stream that merely ended is no refusal.
func (i *Ingest) refuse(ctx context.Context, method, cause string, err error) error {
	told := toStatus(err)
	from := "unknown"
	if p, ok := peer.FromContext(ctx); ok {
		from = p.Addr.String()
	}
	log := i.log.With("method", method, "from", from, "error", err)
	switch status.Code(told) {
	case codes.Canceled, codes.Unavailable, codes.DeadlineExceeded:
		log.Debug("call ended")
	case codes.Internal, codes.Unknown:
		i.metrics.refused("internal")
		log.Error("call could not be answered")
	default:
		i.metrics.refused(cause)
		if more, due := i.quiet.due(time.Now()); due {
			log.Info("call refused", "unlogged", more)
		}
	}
	return told
}

// refusalsEvery is how often a refusal is worth a line of the log. Strangers
// could fill a disk with them; the metric counts all.
const refusalsEvery = time.Minute

// quiet lets one line in a while through.
type quiet struct {
	mu   sync.Mutex // protects all following fields
	last time.Time
	more int
}

// due says whether there may be a line at a time, and how many were left out
// before it.
func (q *quiet) due(at time.Time) (more int, due bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.last.IsZero() && at.Sub(q.last) < refusalsEvery {
		q.more++
		return 0, false
	}
	more, q.last, q.more = q.more, at, 0
	return more, true
}
