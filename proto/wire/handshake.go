package wire

import (
	"encoding/hex"
	"fmt"
	"unicode/utf8"

	"google.golang.org/protobuf/types/known/timestamppb"

	"varde/checks"
	vardev1 "varde/proto/varde/v1"
)

func handshakeToProto(h *checks.Handshake) *vardev1.Handshake {
	if h == nil {
		return nil
	}
	m := &vardev1.Handshake{Version: h.Version}
	for _, c := range h.Chain {
		key, _ := hex.DecodeString(c.Key) // what is no key is refused by whoever reads it
		m.Chain = append(m.Chain, &vardev1.Certificate{
			Subject: c.Subject, Issuer: c.Issuer, Names: c.Names, NotAfter: timestamppb.New(c.NotAfter), KeySha256: key,
		})
	}
	return m
}

func handshakeFromProto(m *vardev1.Handshake) (*checks.Handshake, error) {
	if m == nil {
		return nil, nil
	}
	h := &checks.Handshake{Version: m.GetVersion()}
	if len(h.Version) > 16 || !printable(h.Version) {
		return nil, fmt.Errorf("version: %.16q, expected one such as 1.3", h.Version)
	}
	if n := len(m.GetChain()); n > checks.ChainMax {
		return nil, fmt.Errorf("chain: %d certificates, expected at most %d", n, checks.ChainMax)
	}
	for i, cm := range m.GetChain() {
		c, err := certificateFromProto(cm)
		if err != nil {
			return nil, fmt.Errorf("chain[%d]: %w", i, err)
		}
		h.Chain = append(h.Chain, c)
	}
	return h, nil
}

func certificateFromProto(m *vardev1.Certificate) (checks.Certificate, error) {
	c := checks.Certificate{
		Subject: m.GetSubject(), Issuer: m.GetIssuer(), Names: m.GetNames(), Key: hex.EncodeToString(m.GetKeySha256()),
	}
	if n := len(c.Names); n > checks.NamesMax {
		return c, fmt.Errorf("names: %d, expected at most %d", n, checks.NamesMax)
	}
	for _, name := range append([]string{c.Subject, c.Issuer}, c.Names...) {
		if utf8.RuneCountInString(name) > checks.NameMax || !printable(name) {
			return c, fmt.Errorf("name: %.64q, expected at most %d printable characters", name, checks.NameMax)
		}
	}
	if n := len(m.GetKeySha256()); n != 32 {
		return c, fmt.Errorf("key_sha256: %d bytes, expected 32", n)
	}
	var err error
	c.NotAfter, err = timeFromProto("not_after", m.GetNotAfter())
	return c, err
}
