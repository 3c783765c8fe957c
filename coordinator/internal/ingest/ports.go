package ingest

import (
	"context"
	"crypto/tls"
	"errors"
	"time"

	"varde/proto/wire"
)

// Journal keeps what was accepted. *journal.Journal is one.
type Journal interface {
	// Append keeps batches, all or none, and returns when they are on disk.
	// After an error they may be there or not; Mark tells.
	Append(ctx context.Context, batches []wire.Batch) (seq uint64, err error)
	// Mark returns the last record kept of a source, 0 if there is none.
	Mark(ctx context.Context, s wire.Source) (uint64, error)
	// Heard returns when something was last kept of each probe.
	Heard(ctx context.Context) (map[string]time.Time, error)
}

// Authority says who may speak. Its errors should wrap one of ErrDenied,
// ErrUnauthenticated and ErrInvalid; the caller is told of any other that
// something went wrong, and no more.
type Authority interface {
	// Peer says who the client of a connection is now: that its certificate is
	// one of ours and the roster holds its key. It is asked again whenever the
	// roster has changed, and once a minute.
	Peer(ctx context.Context, s tls.ConnectionState) (Peer, error)
	// Enrol redeems a token. ErrDenied is for tokens that are not (or no more)
	// good, ErrInvalid for a request that cannot be accepted.
	Enrol(ctx context.Context, r wire.EnrolRequest) (wire.Enrolment, error)
	// Renew issues the next certificate (DER, leaf first) to the client of a
	// connection, for a PKCS #10 request.
	Renew(ctx context.Context, s tls.ConnectionState, request []byte) (chain [][]byte, err error)
	// SetAddresses records where the mesh of a probe answers, and its peer
	// listener, which may be empty for none.
	SetAddresses(ctx context.Context, probe, mesh, peer string) error
	// Roster returns every enrolled probe.
	Roster() []Peer
	// Changed returns a channel that is closed at the next change of the roster.
	Changed() <-chan struct{}
}

// Peer is one probe of the roster.
type Peer struct {
	Name, Region, Site string
	// ASN is 0 when it is not known.
	ASN uint32
	// Joined is when it enrolled last.
	Joined time.Time
	// Renewal is true when the certificate shown has expired and is good for
	// Renew only.
	Renewal bool
}

// Plans hands out plans. *plan.Maker is one.
type Plans interface {
	// For returns the newest plan with the secrets of one probe. An error means
	// that there is none for it now.
	For(probe string) (wire.SignedPlan, error)
	// Current returns the newest plan; its number and checks are looked at.
	Current() (wire.Plan, bool)
	// Changed returns a channel that is closed when there is another plan.
	Changed() <-chan struct{}
}

// The kinds of refusal.
var (
	// ErrDenied: the caller is known, or need not be, and may not do this.
	ErrDenied = errors.New("denied")
	// ErrUnauthenticated: the caller did not show a certificate that is good
	// for this.
	ErrUnauthenticated = errors.New("not authenticated")
	// ErrInvalid: the request is not one that can be answered.
	ErrInvalid = errors.New("invalid request")

	errStopping   = errors.New("coordinator is stopping")
	errJournal    = errors.New("journal cannot be written now")
	errSuperseded = errors.New("newer streams of this probe took the place of this one")
)
