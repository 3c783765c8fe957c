package wire_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	vardev1 "varde/proto/varde/v1"
	"varde/proto/wire"
)

// same fails when reading what was written gave another value.
func same[T any](t *rapid.T, want, got T, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("read what was written: %v", err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("read what was written (-written +read):\n%s", diff)
	}
}

func TestRecordRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawRecord(t, rapid.Uint64Range(1, 1e12).Draw(t, "first"))
		b, read, err := wire.MarshalRecord(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := wire.UnmarshalRecord(b)
		same(t, want, got, err)
		same(t, read, got, err)
	})
}

func TestBatchRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		full := drawBatch(t)
		b, err := proto.Marshal(wire.BatchToProto(full))
		if err != nil {
			t.Fatal(err)
		}
		m := new(vardev1.Batch)
		if err := proto.Unmarshal(b, m); err != nil {
			t.Fatal(err)
		}
		got, err := wire.BatchFromProto(m)
		// Who sent it and when it came does not travel: the coordinator says it.
		want := wire.Batch{Epoch: full.Epoch, Records: full.Records}
		want.Attribute("", "", "")
		same(t, want, got, err)
		if got.First() != full.Records[0].First() || got.Last() != full.Records[len(full.Records)-1].Last() {
			t.Fatalf("batch covers %d to %d", got.First(), got.Last())
		}
	})
}

func TestEntryRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := make([]wire.Batch, rapid.IntRange(0, 4).Draw(t, "batches"))
		for i := range want {
			want[i] = drawBatch(t)
		}
		b, err := wire.MarshalEntry(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := wire.UnmarshalEntry(b)
		same(t, want, got, err)
	})
}

func TestAttributeOverwritesWhatTheProbeClaims(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := drawBatch(t)
		b.Attribute("osl-1", "eu-north", "oslo")
		for _, r := range b.Records {
			if e := r.Event; e != nil && e.Mail != nil && (e.Mail.Probe != "osl-1" || e.Mail.Region != "eu-north") ||
				e != nil && e.Findings != nil && (e.Findings.Probe != "osl-1" || e.Findings.Region != "eu-north") {
				t.Fatalf("event %+v", e)
			}
			if o := r.Observation; r.IsObservation() && (o.Probe != "osl-1" || o.Region != "eu-north" || o.Epoch != b.Epoch) {
				t.Fatalf("observation of probe %q, region %q, epoch %q", o.Probe, o.Region, o.Epoch)
			}
		}
	})
}

func TestPlanRoundTrip(t *testing.T) {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	rapid.Check(t, func(t *rapid.T) {
		want := drawPlan(t)
		bundle := drawBytes(t, 1, 40)
		if want.Bundles != nil {
			want.Bundles["osl-1"] = sha256.Sum256(bundle)
		} else {
			bundle = nil
		}
		signed, err := wire.SignPlan(want, key)
		if err != nil {
			t.Fatal(err)
		}
		if bundle != nil {
			signed.Bundles = map[string][]byte{"osl-1": bundle}
		}
		b, err := signed.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		again, err := wire.UnmarshalSignedPlan(b)
		same(t, signed, again, err)
		got, err := again.Open(key.Public().(ed25519.PublicKey), "osl-1")
		same(t, want, got, err)
	})
}

// TestSignPlanIsDeterministic: a coordinator tells by the bytes whether a plan
// changed.
func TestSignPlanIsDeterministic(t *testing.T) {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	rapid.Check(t, func(t *rapid.T) {
		p := drawPlan(t)
		one, err := wire.SignPlan(p, key)
		if err != nil {
			t.Fatal(err)
		}
		two, err := wire.SignPlan(p, key)
		same(t, one, two, err)
	})
}

func TestSecretsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.MapOfN(rapid.StringMatching(`[a-z]{1,8}`), rapid.String(), 1, 4).Draw(t, "secrets")
		b, err := wire.MarshalSecrets(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := wire.UnmarshalSecrets(b)
		same(t, want, got, err)
	})
}

func drawToken(t *rapid.T) wire.Token {
	token := wire.Token{
		ID: [16]byte(drawBytes(t, 16, 16)), Secret: [16]byte(drawBytes(t, 16, 16)), CASHA256: drawSum(t),
	}
	for range rapid.IntRange(1, 3).Draw(t, "coordinators") {
		token.Coordinators = append(token.Coordinators, drawID(t, "host")+":7950")
	}
	return token
}

func TestTokenRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawToken(t)
		got, err := wire.ParseToken(" " + want.String() + "\n")
		same(t, want, got, err)
	})
}

func TestSubjectRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := wire.Subject{Name: drawID(t, "name"), Region: drawID(t, "region")}
		u, err := url.Parse(want.URI().String())
		if err != nil {
			t.Fatal(err)
		}
		got, err := wire.SubjectOf(&x509.Certificate{URIs: []*url.URL{u}})
		same(t, want, got, err)
	})
}

// TestPlanNumberIsATotalOrder: of two numbers exactly one is after the other,
// or they are equal.
func TestPlanNumberIsATotalOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		small := rapid.Uint64Range(0, 3)
		n := wire.PlanNumber{Generation: small.Draw(t, "generation"), Revision: small.Draw(t, "revision")}
		m := wire.PlanNumber{Generation: small.Draw(t, "generation"), Revision: small.Draw(t, "revision")}
		if got := n.After(m) != m.After(n); got == (n == m) {
			t.Fatalf("%v after %v: %t, the other way: %t", n, m, n.After(m), m.After(n))
		}
		if n.Generation > m.Generation && !n.After(m) {
			t.Fatalf("%v of a larger generation is not after %v", n, m)
		}
	})
}
