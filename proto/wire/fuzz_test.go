package wire_test

import (
	"crypto/ed25519"
	"crypto/x509"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	vardev1 "varde/proto/varde/v1"
	"varde/proto/wire"
)

// again fails unless reading what was written of a value that came from
// outside gives that value.
func again[T any](t *testing.T, want T, write func() ([]byte, error), read func([]byte) (T, error)) {
	t.Helper()
	b, err := write()
	if err != nil {
		t.Fatalf("write what was read: %v", err)
	}
	got, err := read(b)
	if err != nil {
		t.Fatalf("read it again: %v", err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("read it again (-first +second):\n%s", diff)
	}
}

func FuzzUnmarshalRecord(f *testing.F) {
	for _, r := range []*vardev1.Record{observed(1), dropped(3, 9)} {
		b, _ := proto.Marshal(r)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := wire.UnmarshalRecord(b); err == nil {
			again(t, r, func() ([]byte, error) {
				b, read, err := wire.MarshalRecord(r)
				if diff := cmp.Diff(r, read); err == nil && diff != "" {
					t.Fatalf("said to be read otherwise (-read +said):\n%s", diff)
				}
				return b, err
			}, wire.UnmarshalRecord)
		}
	})
}

func FuzzUnmarshalEntry(f *testing.F) {
	o, _ := wire.BatchFromProto(&vardev1.Batch{Epoch: "e", Records: []*vardev1.Record{observed(1), dropped(2, 9)}})
	o.Attribute("osl-1", "eu-north", "oslo")
	o.ClockKnown, o.ClockOffset = true, -5
	b, _ := wire.MarshalEntry([]wire.Batch{o, o})
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		alike(t, b)
		if batches, err := wire.UnmarshalEntry(b); err == nil {
			again(t, batches, func() ([]byte, error) { return wire.MarshalEntry(batches) }, wire.UnmarshalEntry)
		}
	})
}

func FuzzUnmarshalSignedPlan(f *testing.F) {
	b, _ := wire.SignedPlan{Plan: []byte("p"), Signature: []byte("s"), Bundles: map[string][]byte{"osl-1": []byte("b")}}.Marshal()
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := wire.UnmarshalSignedPlan(b)
		if err != nil {
			return
		}
		again(t, s, s.Marshal, wire.UnmarshalSignedPlan)
		if _, err := s.Open(planKey().Public().(ed25519.PublicKey), "osl-1"); err == nil {
			t.Fatal("opened a plan that nobody signed")
		}
	})
}

// FuzzOpenPlan signs whatever it gets: a stolen coordinator could.
func FuzzOpenPlan(f *testing.F) {
	b, _ := proto.Marshal(goodPlan())
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		public := planKey().Public().(ed25519.PublicKey)
		p, err := sign(b).Open(public, "osl-1")
		if err != nil {
			return
		}
		s, err := wire.SignPlan(p, planKey())
		if err != nil {
			t.Fatalf("sign what was opened: %v", err)
		}
		again(t, p, s.Marshal, func(b []byte) (wire.Plan, error) {
			s, err := wire.UnmarshalSignedPlan(b)
			if err != nil {
				return wire.Plan{}, err
			}
			return s.Open(public, "osl-1")
		})
	})
}

func FuzzParseToken(f *testing.F) {
	f.Add(wire.Token{Coordinators: []string{"c:1"}}.String())
	f.Fuzz(func(t *testing.T, s string) {
		if token, err := wire.ParseToken(s); err == nil {
			againToken(t, token)
		}
	})
}

// FuzzTokenBody gets behind the checksum, which a person's slip does not.
func FuzzTokenBody(f *testing.F) {
	b, _ := proto.Marshal(&vardev1.JoinToken{
		Id: make([]byte, 16), Secret: make([]byte, 16), CaSha256: make([]byte, 32), Coordinators: []string{"c:1"},
	})
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		if token, err := wire.ParseToken(withChecksum(b)); err == nil {
			againToken(t, token)
		}
	})
}

func againToken(t *testing.T, token wire.Token) {
	t.Helper()
	again(t, token,
		func() ([]byte, error) { return []byte(token.String()), nil },
		func(b []byte) (wire.Token, error) { return wire.ParseToken(string(b)) })
}

func FuzzSubjectOf(f *testing.F) {
	f.Add("varde://probe/eu-north/osl-1")
	f.Add("VARDE://probe/%65u/osl-1?#")
	f.Fuzz(func(t *testing.T, uri string) {
		u, err := url.Parse(uri)
		if err != nil {
			return
		}
		s, err := wire.SubjectOf(&x509.Certificate{URIs: []*url.URL{u}})
		if err == nil && s.URI().String() != u.String() {
			t.Fatalf("%q names %v, whose name is %q", uri, s, s.URI())
		}
	})
}
