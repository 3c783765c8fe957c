package checks

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"slices"
	"strings"
	"time"
)

// Handshake is what a server showed when TLS began.
type Handshake struct {
	// Version is that of TLS, "1.3"; empty if the handshake did not come so far.
	Version string `json:"version,omitempty"`
	// Chain are the certificates as presented, the server's own first, at most
	// ChainMax of them.
	Chain []Certificate `json:"chain,omitempty"`
}

// Certificate is what people want to know of one.
type Certificate struct {
	// Subject and Issuer are common names, or whole names where there are none.
	Subject string `json:"subject"`
	Issuer  string `json:"issuer"`
	// Names are whom the certificate is for, at most NamesMax of them.
	Names    []string  `json:"names,omitempty"`
	NotAfter time.Time `json:"not_after"`
	// Key is the SHA-256 of its SubjectPublicKeyInfo in hex, which stays when a
	// certificate is renewed with the same key.
	Key string `json:"key_sha256"`
}

// What is kept of a chain: more certificates, names and bytes than an honest
// one needs.
const (
	ChainMax = 5
	NamesMax = 10
	NameMax  = 96
)

// Presented is what a server said of itself in one attempt, in its words.
type Presented struct {
	// Banner is its greeting, or the first line of what it said.
	Banner string `json:"banner,omitempty"`
	// Protocol is what was agreed on, "HTTP/2.0".
	Protocol string `json:"protocol,omitempty"`
	// Capabilities are what it offers, as it last told.
	Capabilities []string `json:"capabilities,omitempty"`
	// Replies are the codes or words with which it answered, in order.
	Replies []string `json:"replies,omitempty"`
	// Answers are the records of an answer.
	Answers []string `json:"answers,omitempty"`
}

// presentedMax bounds each list of a Presented, in entries.
const presentedMax = 64

// shown keeps what a handshake showed.
func shown(state tls.ConnectionState) *Handshake {
	h := &Handshake{}
	if state.Version != 0 {
		h.Version = versionName(state.Version)
	}
	h.Chain = summaries(state.PeerCertificates)
	return h
}

// summaries are what is kept of the certificates presented.
func summaries(presented []*x509.Certificate) []Certificate {
	presented = presented[:min(len(presented), ChainMax)]
	all := make([]Certificate, len(presented))
	for i, c := range presented {
		all[i] = certificate(c)
	}
	return all
}

func versionName(v uint16) string {
	const prefix = "TLS "
	if name := tls.VersionName(v); len(name) > len(prefix) && name[:len(prefix)] == prefix {
		return name[len(prefix):]
	}
	return tls.VersionName(v)
}

func certificate(c *x509.Certificate) Certificate {
	key := sha256.Sum256(c.RawSubjectPublicKeyInfo)
	out := Certificate{
		Subject: short(subject(c)), Issuer: short(issuer(c)),
		NotAfter: c.NotAfter.UTC(), Key: hex.EncodeToString(key[:]),
	}
	for _, n := range allNames(c) {
		if len(out.Names) == NamesMax {
			break
		}
		out.Names = append(out.Names, short(n))
	}
	return out
}

// short makes a name of a certificate fit to be kept.
func short(name string) string {
	name = clean(name, nil)
	if r := []rune(name); len(r) > NameMax {
		return string(r[:NameMax-1]) + "…"
	}
	return name
}

// words are all that a server chose of what it showed.
func (h *Handshake) words() []*string {
	var all []*string
	for i := range h.Chain {
		c := &h.Chain[i]
		all = append(all, &c.Subject, &c.Issuer)
		for j := range c.Names {
			all = append(all, &c.Names[j])
		}
	}
	return all
}

// without is the handshake with secrets hidden, in a copy where there are any:
// what was shown of a chain that is remembered belongs to others too.
func (h *Handshake) without(forms []string) *Handshake {
	if h == nil || len(forms) == 0 {
		return h
	}
	var all strings.Builder
	for _, w := range h.words() {
		all.WriteString(*w + "\n")
	}
	if hide(all.String(), forms) == all.String() {
		return h
	}
	out := &Handshake{Version: h.Version, Chain: slices.Clone(h.Chain)}
	for i, c := range out.Chain {
		out.Chain[i].Names = slices.Clone(c.Names)
	}
	for _, w := range out.words() {
		*w = hide(*w, forms)
	}
	return out
}

func (p *Presented) lists() [3]*[]string {
	return [...]*[]string{&p.Capabilities, &p.Replies, &p.Answers}
}

// bound leaves out what is too much.
func (p *Presented) bound() {
	for _, list := range p.lists() {
		*list = (*list)[:min(len(*list), presentedMax)]
	}
}

// clean makes everything fit to be shown, without secrets.
func (p *Presented) clean(forms []string) {
	p.Banner, p.Protocol = clean(p.Banner, forms), clean(p.Protocol, forms)
	for _, list := range p.lists() {
		*list = slices.Clone(*list)
		for i, words := range *list {
			(*list)[i] = clean(words, forms)
		}
	}
}
