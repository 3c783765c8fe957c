package agent

import (
	"context"
	"crypto/tls"
	"errors"
	"net"

	"varde/probe/internal/identity"
	"varde/probe/internal/uplink"
	"varde/proto/wire"
)

// JoinOptions says how a machine becomes a probe.
type JoinOptions struct {
	// State is the folder to keep the identity in. Required.
	State string
	// Token is what `varde-coordinator probe add` printed. Required.
	Token string
	// Network is the machine's own if nil.
	Network Network
}

// Joined is who a machine is after it has joined.
type Joined struct {
	Name, Region, Site string
}

// Join makes this machine a probe of the fleet that made the token. When it
// fails the state folder is as it was.
func Join(ctx context.Context, o JoinOptions) (Joined, error) {
	if o.State == "" {
		return Joined{}, errors.New("join: State is required")
	}
	if o.Network == nil {
		o.Network = &system{}
	}
	token, err := wire.ParseToken(o.Token)
	if err != nil {
		return Joined{}, err
	}
	dial := func(ctx context.Context, address string) (net.Conn, error) {
		return o.Network.DialContext(ctx, "tcp", address)
	}
	id, err := identity.Join(ctx, identity.Options{Dir: o.State}, token,
		func(ctx context.Context, r wire.EnrolRequest) (wire.Enrolment, error) {
			config := func(address string) *tls.Config { return identity.JoinTLS(token, address) }
			return uplink.Enrol(ctx, uplink.EnrolOptions{Token: token, TLS: config, Dial: dial}, r)
		})
	if err != nil {
		return Joined{}, err
	}
	return Joined{Name: id.Name(), Region: id.Region(), Site: id.Site()}, nil
}

// HasJoined says whether a state folder holds the identity of a probe.
func HasJoined(state string) bool {
	_, err := identity.Load(state)
	return err == nil
}
