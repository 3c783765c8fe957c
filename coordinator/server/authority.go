package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"

	"varde/coordinator/internal/identity"
	"varde/coordinator/internal/ingest"
	"varde/proto/wire"
)

// authority is the identity room as ingest asks for it.
type authority struct{ *identity.Authority }

var _ ingest.Authority = authority{}

// Peer says who the client of a connection is.
func (a authority) Peer(ctx context.Context, s tls.ConnectionState) (ingest.Peer, error) {
	p, err := a.Authority.Peer(ctx, s)
	if err != nil {
		return ingest.Peer{}, refusal(err)
	}
	return peer(p.Entry, p.Renewal), nil
}

func peer(e identity.Entry, renewal bool) ingest.Peer {
	return ingest.Peer{Name: e.Name, Region: e.Region, Site: e.Site, ASN: e.ASN, Joined: e.Enrolled, Renewal: renewal}
}

// Enrol redeems a token.
func (a authority) Enrol(ctx context.Context, r wire.EnrolRequest) (wire.Enrolment, error) {
	chain, e, err := a.Authority.Enrol(ctx, r.TokenID, r.Secret, r.Request, r.Recipient)
	if err != nil {
		return wire.Enrolment{}, refusal(err)
	}
	return wire.Enrolment{
		Chain: chain, Name: e.Name, Region: e.Region, Site: e.Site,
		PlanKey: a.PlanKey(), Coordinators: a.Coordinators(),
	}, nil
}

// Renew issues the next certificate.
func (a authority) Renew(ctx context.Context, s tls.ConnectionState, request []byte) ([][]byte, error) {
	p, err := a.Authority.Peer(ctx, s)
	if err != nil {
		return nil, refusal(err)
	}
	chain, err := a.Authority.Renew(ctx, p.Certificate, request)
	return chain, refusal(err)
}

// Roster returns every enrolled probe.
func (a authority) Roster() []ingest.Peer {
	entries := a.Authority.Roster()
	out := make([]ingest.Peer, len(entries))
	for i, e := range entries {
		out[i] = peer(e, false)
	}
	return out
}

// refusal sorts the errors of the identity room into the kinds that a probe is
// told.
func refusal(err error) error {
	for kind, causes := range map[error][]error{
		ingest.ErrDenied: {
			identity.ErrTokenUnknown, identity.ErrTokenUsed, identity.ErrTokenExpired,
			identity.ErrRemoved, identity.ErrExpired, identity.ErrEnrolled,
		},
		ingest.ErrUnauthenticated: {identity.ErrNoCertificate, identity.ErrNotOurs},
		ingest.ErrInvalid:         {identity.ErrRequest},
	} {
		for _, cause := range causes {
			if errors.Is(err, cause) {
				return fmt.Errorf("%w: %w", kind, err)
			}
		}
	}
	return err
}
