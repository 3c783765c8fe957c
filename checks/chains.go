package checks

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"slices"
	"sync"
	"time"
)

// What is remembered at most. A server can neither fill a probe's memory with
// chains that it makes up nor push out those of others.
const (
	// serversMax is how many servers' chains are remembered; the oldest server
	// is forgotten first. A chain takes about 10 kB.
	serversMax = 4096
	// chainsMax is how many chains of one server are: one name may have several
	// machines behind it, and two families.
	chainsMax = 4
	// chainBytesMax is how long a chain may be, three times an honest one.
	chainBytesMax = 16 << 10
)

// Chains remembers which chains of certificates were verified, so that a server
// that shows the same bytes again is not verified anew. It spares the
// signatures of authorities only: that the server has the key is proven in
// every handshake. One changed byte, another name, other authorities, or a date
// that has passed make it a chain that was never seen.
//
// The zero value is empty and ready for use by many goroutines.
type Chains struct {
	mu    sync.Mutex
	known map[believed][]*verified
	order []believed // a ring once it is full
	next  int        // the oldest in it
}

// believed is what a verification depends on besides the chain and the time.
// The pool is held by it, so that no other can come to stand at its address.
type believed struct {
	roots *x509.CertPool
	name  string
}

// verified is a chain that was found good, and what is told of it.
type verified struct {
	sum         [sha256.Size]byte
	from, until time.Time
	shown       []Certificate
	// kept holds the parsed certificates: crypto/tls takes those that somebody
	// still holds and parses a certificate only if nobody does.
	kept []*x509.Certificate
}

// verify says whether the certificates that a server presented are good now. A
// nil Chains has no memory. The error is that of x509.
func (c *Chains) verify(by believed, presented []*x509.Certificate) (*verified, error) {
	now := time.Now()
	if c == nil {
		return verify(by, presented, now)
	}
	sum := sumOf(presented)
	if v := c.find(by, sum, now); v != nil {
		return v, nil
	}
	v, err := verify(by, presented, now)
	if err == nil && size(presented) <= chainBytesMax {
		v.sum = sum
		c.remember(by, v)
	}
	return v, err
}

// verify does what crypto/tls does by itself.
func verify(by believed, presented []*x509.Certificate, now time.Time) (*verified, error) {
	intermediates := x509.NewCertPool()
	for _, c := range presented[1:] {
		intermediates.AddCert(c)
	}
	chains, err := presented[0].Verify(x509.VerifyOptions{
		DNSName: by.name, Roots: by.roots, Intermediates: intermediates, CurrentTime: now,
	})
	if err != nil {
		return nil, err
	}
	v := &verified{shown: summaries(presented), kept: presented}
	for _, chain := range chains {
		if from, until := validity(chain); until.After(v.until) {
			v.from, v.until = from, until
		}
	}
	return v, nil
}

// validity is when all of a chain are valid, both ends included.
func validity(chain []*x509.Certificate) (from, until time.Time) {
	from, until = chain[0].NotBefore, chain[0].NotAfter
	for _, c := range chain[1:] {
		if c.NotBefore.After(from) {
			from = c.NotBefore
		}
		if c.NotAfter.Before(until) {
			until = c.NotAfter
		}
	}
	return from, until
}

// sumOf sums up everything presented, each certificate with its length first.
func sumOf(presented []*x509.Certificate) (out [sha256.Size]byte) {
	sum := sha256.New()
	for _, c := range presented {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(c.Raw)))
		sum.Write(length[:])
		sum.Write(c.Raw)
	}
	sum.Sum(out[:0])
	return out
}

// size is how long a chain is, in bytes.
func size(presented []*x509.Certificate) (n int) {
	for _, c := range presented {
		n += len(c.Raw)
	}
	return n
}

func (c *Chains) find(by believed, sum [sha256.Size]byte, now time.Time) *verified {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, v := range c.known[by] {
		if v.sum == sum && !now.Before(v.from) && !now.After(v.until) {
			return v
		}
	}
	return nil
}

func (c *Chains) remember(by believed, v *verified) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil {
		c.known = make(map[believed][]*verified)
	}
	if _, again := c.known[by]; !again {
		c.enterLocked(by)
	}
	// The same chain may stand there already: of another run at the same time,
	// or of a time that its dates did not hold.
	others := slices.DeleteFunc(c.known[by], func(o *verified) bool { return o.sum == v.sum })
	c.known[by] = append(others[max(0, len(others)+1-chainsMax):], v)
}

// enterLocked makes room for a server.
func (c *Chains) enterLocked(by believed) {
	if len(c.order) < serversMax {
		c.order = append(c.order, by)
		return
	}
	delete(c.known, c.order[c.next])
	c.order[c.next] = by
	c.next = (c.next + 1) % serversMax
}
