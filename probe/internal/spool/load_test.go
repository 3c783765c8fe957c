package spool

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"varde/checks"
)

// load makes the observations of a probe that looks at 50 services over both
// families every 30 s: what a cut off machine has to keep. Two of three log in
// over IMAP or submit mail, the others are web servers; every twentieth service
// is down now and then, and everything takes another time at every look.
type load struct {
	rand   *rand.Rand
	series []checks.Observation
	phase  []time.Duration
	n      int
}

func newLoad() *load {
	l := &load{rand: rand.New(rand.NewPCG(1, 2))}
	for i := range 50 {
		for _, f := range []checks.Family{checks.IPv4, checks.IPv6} {
			l.series = append(l.series, series(i, f))
			l.phase = append(l.phase, time.Duration(l.rand.Int64N(int64(30*time.Second))))
		}
	}
	return l
}

// series is what stays the same of the observations of one check and family.
func series(i int, f checks.Family) checks.Observation {
	host := fmt.Sprintf("%s%d.example%d.net", []string{"imap", "smtp", "www"}[i%3], i, i*37)
	o := checks.Observation{
		Check: fmt.Sprintf("service-%d-%s", i, []string{"imap", "submission", "web"}[i%3]), Service: fmt.Sprintf("service-%d", i),
		Family: f, Plan: 41, Every: 30 * time.Second,
	}
	o.Address = fmt.Sprintf("192.0.%d.%d:%d", i%3, i, []int{993, 465, 443}[i%3])
	if f == checks.IPv6 {
		o.Address = fmt.Sprintf("[2001:db8:%x::%x]:%d", i*977, i, []int{993, 465, 443}[i%3])
	}
	for _, p := range [][]checks.Phase{
		{checks.Resolve, checks.Connect, checks.TLS, checks.Greeting, checks.Capability, checks.Auth, checks.Select, checks.Request, checks.Logout},
		{checks.Resolve, checks.Connect, checks.TLS, checks.Greeting, checks.Capability, checks.Auth, checks.Logout},
		{checks.Resolve, checks.Connect, checks.TLS, checks.Request, checks.FirstByte, checks.Body},
	}[i%3] {
		o.Phases = append(o.Phases, checks.PhaseTiming{Name: p})
	}
	key := func(name string) string {
		sum := sha256.Sum256([]byte(name))
		return hex.EncodeToString(sum[:])
	}
	end := time.Date(2027, 1, 1, i%24, i, i, 0, time.UTC)
	leaf := checks.Certificate{Subject: host, Issuer: fmt.Sprint("R", 10+i%4), NotAfter: end.AddDate(0, 0, i), Key: key(host)}
	for n := range 1 + i%8 {
		leaf.Names = append(leaf.Names, fmt.Sprintf("%s.example%d.net", []string{"imap", "smtp", "www", "mail", "autoconfig", "pop", "mx", "webmail"}[n], i*37))
	}
	o.TLS = &checks.Handshake{Version: "1.3", Chain: []checks.Certificate{
		leaf,
		{Subject: leaf.Issuer, Issuer: "ISRG Root X1", NotAfter: time.Date(2027, 3, 12, 23, 59, 59, 0, time.UTC), Key: key(leaf.Issuer)},
	}}
	return o
}

// next is the next observation, as the spool takes it.
func (l *load) next() checks.Observation {
	i := l.n % len(l.series)
	o := l.series[i]
	o.Scheduled = start.Add(time.Duration(l.n/len(l.series))*o.Every + l.phase[i])
	o.Started = o.Scheduled.Add(l.between(150*time.Microsecond, 2*time.Millisecond))
	phases := o.Phases
	o.Phases, o.Outcome = nil, checks.Up
	for _, p := range phases {
		p.Duration = l.between(200*time.Microsecond, 100*time.Millisecond)
		if i%3 == 0 && p.Name != checks.Resolve {
			p.Duration += 12 * time.Millisecond * time.Duration(i%5)
		}
		o.Phases = append(o.Phases, p)
		if l.rand.IntN(2000) == 0 {
			o = failed(o, p.Name)
		}
		o.Elapsed += o.Phases[len(o.Phases)-1].Duration + l.between(2*time.Microsecond, 40*time.Microsecond)
		if o.Outcome == checks.Down {
			break
		}
	}
	l.n++
	return o
}

func failed(o checks.Observation, p checks.Phase) checks.Observation {
	o.Outcome, o.FailedPhase, o.Class = checks.Down, p, checks.TLSTimeout
	o.Detail = fmt.Sprintf("%s not complete within 5s, %d bytes came", p, 1000+o.Started.Nanosecond()%4000)
	o.Phases[len(o.Phases)-1].Duration = 5*time.Second + time.Duration(o.Started.Nanosecond()%1e6)
	if len(o.Phases) < 4 {
		o.TLS = nil
	}
	return o
}

// between is a time that is more often short than long.
func (l *load) between(low, high time.Duration) time.Duration {
	return low + time.Duration(float64(high-low)*math.Pow(l.rand.Float64(), 3))
}
