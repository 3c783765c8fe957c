package uplink

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
)

const (
	// dialWithin bounds TCP, TLS and HTTP/2 set-up each.
	dialWithin = 10 * time.Second
	// A connection on which nothing came for silence is asked for a sign of
	// life, and given up when none comes within sign: together as long as a
	// coordinator may be away before peers are asked.
	silence = 10 * time.Second
	sign    = Alone - silence
	// maxReceive is the largest message taken: a plan of 3 MB and its secrets.
	maxReceive = 4 << 20
)

// dialer opens a stream to host:port.
type dialer = func(ctx context.Context, address string) (net.Conn, error)

func dialTCP(ctx context.Context, address string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "tcp", address)
}

// connect opens one connection to one coordinator. It shakes hands itself, so
// that an error says what went wrong and is not gRPC's account of it. The
// connection is never made anew behind our back.
func connect(ctx context.Context, dial dialer, config *tls.Config, address string) (*connection, error) {
	conn, err := shake(ctx, dial, config, address)
	if err != nil {
		return nil, err
	}
	l := &line{Conn: conn, over: make(chan struct{})}
	c, err := grpc.NewClient("passthrough:///coordinator",
		grpc.WithTransportCredentials(established{conn.ConnectionState()}),
		grpc.WithContextDialer(once(l)), grpc.WithNoProxy(),
		grpc.WithDisableServiceConfig(), grpc.WithDisableRetry(), grpc.WithIdleTimeout(0),
		grpc.WithConnectParams(grpc.ConnectParams{MinConnectTimeout: dialWithin}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: silence, Timeout: sign, PermitWithoutStream: true}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxReceive)),
	)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return &connection{c, l}, nil
}

// connection is a connection to a coordinator.
type connection struct {
	*grpc.ClientConn
	line *line
}

// line remembers why it broke. In TLS 1.3 a server refuses a certificate after
// the client's handshake is done, and gRPC does not pass on what it said.
type line struct {
	net.Conn
	// over is closed when reading has ended.
	over chan struct{}

	mu            sync.Mutex // protects the following
	alert, failed error
	// heard is when something came last.
	heard time.Time
}

// lastWords is how long to listen after a write has failed: what the other side
// said before it hung up is here already.
const lastWords = 100 * time.Millisecond

// Read notes why reading ended.
func (l *line) Read(p []byte) (int, error) {
	n, err := l.Conn.Read(p)
	if n > 0 {
		l.hear()
	}
	if l.note(err) {
		close(l.over)
	}
	return n, err
}

// Write holds back its error until the one who reads has heard everything, for
// it closes the connection.
func (l *line) Write(p []byte) (int, error) {
	n, err := l.Conn.Write(p)
	if err != nil {
		select {
		case <-l.over:
		case <-time.After(lastWords):
		}
	}
	return n, err
}

// note keeps the first error, and any alert. It reports whether this was the
// first.
func (l *line) note(err error) (first bool) {
	if err == nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "remote error" { // as crypto/tls names an alert
		l.alert = err
	}
	if l.failed != nil {
		return false
	}
	l.failed = err
	return true
}

func (l *line) hear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heard = time.Now()
}

// lastHeard is when something came last; zero if nothing did.
func (l *line) lastHeard() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.heard
}

// cause returns the alert that the other side sent, nil if none, and the first
// error of the connection.
func (l *line) cause() (alert, failed error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.alert, l.failed
}

// shake dials and does the TLS handshake.
func shake(ctx context.Context, dial dialer, config *tls.Config, address string) (*tls.Conn, error) {
	dialCtx, cancel := context.WithTimeoutCause(ctx, dialWithin, fmt.Errorf("no answer within %s", dialWithin))
	defer cancel()
	raw, err := dial(dialCtx, address)
	if err != nil {
		return nil, causeOf(dialCtx, err)
	}
	config = config.Clone()
	config.NextProtos = []string{"h2"}
	conn := tls.Client(raw, config)
	tlsCtx, cancel := context.WithTimeoutCause(ctx, dialWithin, fmt.Errorf("connected, and no TLS handshake within %s", dialWithin))
	defer cancel()
	if err := conn.HandshakeContext(tlsCtx); err != nil {
		return nil, errors.Join(causeOf(tlsCtx, err), ignoreClosed(raw.Close()))
	}
	return conn, nil
}

// causeOf returns why a context ended in place of the error that it led to.
func causeOf(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// errGone is what gRPC hears when it would connect anew.
var errGone = errors.New("connection is gone")

// once hands out conn at the first call and refuses after that.
func once(conn net.Conn) dialer {
	var used atomic.Bool
	return func(context.Context, string) (net.Conn, error) {
		if used.Swap(true) {
			return nil, errGone
		}
		return conn, nil
	}
}

// established are the credentials of a connection whose handshake is done.
type established struct{ state tls.ConnectionState }

var _ credentials.TransportCredentials = established{}

// ClientHandshake returns the connection as it is.
func (e established) ClientHandshake(_ context.Context, _ string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return conn, credentials.TLSInfo{
		State: e.state, CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity},
	}, nil
}

// ServerHandshake is for servers, and we are none.
func (established) ServerHandshake(net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.New("client only")
}

// Info says that the connection is TLS.
func (established) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "tls"}
}

// Clone returns the same: there is nothing to change in it.
func (e established) Clone() credentials.TransportCredentials { return e }

// OverrideServerName does nothing: the name was verified already.
func (established) OverrideServerName(string) error { return nil }
