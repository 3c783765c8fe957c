package ingest

import (
	"context"
	"fmt"

	vardev1 "varde/proto/varde/v1"
	"varde/proto/wire"
)

// Enrol turns a token into a certificate.
func (i *Ingest) Enrol(ctx context.Context, m *vardev1.EnrolRequest) (*vardev1.EnrolResponse, error) {
	r, err := wire.EnrolRequestFromProto(m)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	e, err := i.opts.Authority.Enrol(ctx, r)
	if err != nil {
		return nil, err
	}
	return wire.EnrolmentToProto(e), nil
}

// Renew issues the next certificate.
func (i *Ingest) Renew(ctx context.Context, m *vardev1.RenewRequest) (*vardev1.RenewResponse, error) {
	request, err := wire.RenewRequestFromProto(m)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	chain, err := i.opts.Authority.Renew(ctx, callerOf(ctx).tls, request)
	if err != nil {
		return nil, err
	}
	return &vardev1.RenewResponse{CertificateChain: chain}, nil
}
