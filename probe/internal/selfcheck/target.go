package selfcheck

import (
	"context"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	"varde/checks"
)

// askTimeout bounds the question to a control target: a SYN that is lost is sent
// again after 1 s (RFC 6298, section 2).
const askTimeout = 3 * time.Second

// endpoints are where control targets take connections: https://, http:// and
// tcp:// with a port. Others are left out.
func endpoints(urls []string) (out []checks.Endpoint) {
	for _, raw := range urls {
		if e, ok := endpoint(raw); ok {
			out = append(out, e)
		}
	}
	return out
}

func endpoint(raw string) (checks.Endpoint, bool) {
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" {
		return checks.Endpoint{}, false
	}
	port, known := map[string]uint16{"https": 443, "http": 80, "tcp": 0}[u.Scheme]
	if u.Port() != "" {
		n, err := strconv.ParseUint(u.Port(), 10, 16)
		if err != nil {
			return checks.Endpoint{}, false
		}
		port = uint16(n)
	}
	return checks.Endpoint{Scheme: u.Scheme, Host: u.Hostname(), Port: port, URL: u}, known && port != 0
}

// answer is what a control target did over one family. The zero value is that of
// one that was silent until now.
type answer struct {
	// took says that it took a connection, refused that it sent one back.
	took, refused bool
	// absent says that it has no address of the family, and found that its name has
	// one.
	absent, found bool
}

// came says that something came back from it, so that the network works.
func (a answer) came() bool { return a.took || a.refused }

// listener keeps what the resolver said of a name.
type listener struct {
	checks.Network
	absent bool
}

// LookupNetIP asks the network.
func (l *listener) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	addrs, err := l.Network.LookupNetIP(ctx, network, host)
	l.absent = checks.IsNoAddress(err)
	return addrs, err
}

// ask finds out whether a target takes a connection. It obeys the guards of every
// attempt: a name leads to no private address.
func ask(ctx context.Context, network checks.Network, f checks.Family, target checks.Endpoint) answer {
	if at, err := netip.ParseAddr(target.Host); err == nil && at.Unmap().Is4() != (f == checks.IPv4) {
		return answer{absent: true}
	}
	heard := &listener{Network: network}
	result := checks.Record(ctx, askTimeout, func(ctx context.Context, rec *checks.Recorder) error {
		return rec.Dial(ctx, heard, f, target)
	})
	return answer{
		took: result.Outcome == checks.Up, refused: result.Class == checks.ConnectRefused,
		absent: heard.absent, found: result.Address != "",
	}
}
