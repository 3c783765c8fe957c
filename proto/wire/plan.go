package wire

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"varde/checks"
	vardev1 "varde/proto/varde/v1"
)

// PlanNumber orders plans. Restoring a backup raises the generation.
type PlanNumber struct {
	Generation, Revision uint64
}

// After says whether n is larger than m, so that a probe may take it.
func (n PlanNumber) After(m PlanNumber) bool {
	return n.Generation > m.Generation || n.Generation == m.Generation && n.Revision > m.Revision
}

// Region is a unit of verdicts.
type Region struct{ ID, Name string }

// RosterEntry is one enrolled probe as the fleet knows it.
type RosterEntry struct {
	Name, Region, Site string
	ASN                uint32
	// KeySHA256 is the hash of the certificate's SubjectPublicKeyInfo.
	KeySHA256 [32]byte
	// MeshAddress is where its mesh answers; empty until it has said so.
	MeshAddress string
	// PeerAddress is where its peer listener answers; empty where it has none.
	PeerAddress string
}

// Plan is the whole set of checks that a fleet needs, and what goes with it.
type Plan struct {
	Number  PlanNumber
	Issued  time.Time
	Checks  []checks.Target
	Regions []Region
	Roster  []RosterEntry
	// Authorities are DER certificates of the CA, the current one first.
	Authorities [][]byte
	// GossipKeys are 32 bytes each, the one to encrypt with first.
	GossipKeys [][]byte
	// Coordinators are host:port.
	Coordinators []string
	// Controls are URLs of control targets.
	Controls []string
	// Bundles are the SHA-256 sums of the sealed secrets, by probe.
	Bundles map[string][32]byte
}

// SignedPlan is a plan as it travels and as it is kept on disk: the bytes are
// never encoded again.
type SignedPlan struct {
	Plan, Signature []byte
	// Bundles are the sealed secrets by probe: all of them, so that a probe can
	// pass a plan on to any other.
	Bundles map[string][]byte
}

// planDomain separates a plan's signature from any other use of the key.
const planDomain = "varde plan v1\n"

// ErrPlanSignature says that a plan was not signed by the coordinator.
var ErrPlanSignature = errors.New("plan: signature does not fit the coordinator's key")

// SignPlan encodes and signs p. The bundles are attached by the caller.
func SignPlan(p Plan, key ed25519.PrivateKey) (SignedPlan, error) {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(planToProto(p))
	if err != nil {
		return SignedPlan{}, fmt.Errorf("plan: %w", err)
	}
	return SignedPlan{Plan: b, Signature: ed25519.Sign(key, append([]byte(planDomain), b...))}, nil
}

// Open verifies the signature, reads the plan, and verifies that the bundles are
// those which the plan names. One for somebody else may be missing, that of the
// given probe may not.
func (s SignedPlan) Open(key ed25519.PublicKey, probe string) (Plan, error) {
	if len(key) != ed25519.PublicKeySize || !ed25519.Verify(key, append([]byte(planDomain), s.Plan...), s.Signature) {
		return Plan{}, ErrPlanSignature
	}
	m := new(vardev1.Plan)
	if err := proto.Unmarshal(s.Plan, m); err != nil {
		return Plan{}, fmt.Errorf("plan: %w", err)
	}
	p, err := planFromProto(m)
	if err != nil {
		return Plan{}, fmt.Errorf("plan: %w", err)
	}
	for name, bundle := range s.Bundles {
		if want, named := p.Bundles[name]; !named || sha256.Sum256(bundle) != want {
			return Plan{}, fmt.Errorf("plan: sealed secrets are not those that the plan names for %.80q", name)
		}
	}
	if _, named := p.Bundles[probe]; named && len(s.Bundles[probe]) == 0 {
		return Plan{}, fmt.Errorf("plan: the sealed secrets that it names for %q are missing", probe)
	}
	return p, nil
}

// SignedPlanToProto returns the message of s.
func SignedPlanToProto(s SignedPlan) *vardev1.SignedPlan {
	return &vardev1.SignedPlan{Plan: s.Plan, Signature: s.Signature, Bundles: s.Bundles}
}

// SignedPlanFromProto reads the message; nothing is verified before Open.
func SignedPlanFromProto(m *vardev1.SignedPlan) SignedPlan {
	return SignedPlan{Plan: m.GetPlan(), Signature: m.GetSignature(), Bundles: m.GetBundles()}
}

// Marshal encodes s for a file.
func (s SignedPlan) Marshal() ([]byte, error) { return proto.Marshal(SignedPlanToProto(s)) }

// UnmarshalSignedPlan reads what Marshal wrote.
func UnmarshalSignedPlan(b []byte) (SignedPlan, error) {
	m := new(vardev1.SignedPlan)
	if err := proto.Unmarshal(b, m); err != nil {
		return SignedPlan{}, fmt.Errorf("signed plan: %w", err)
	}
	return SignedPlanFromProto(m), nil
}

// MarshalSecrets encodes the content of a bundle before it is sealed.
func MarshalSecrets(values map[string]string) ([]byte, error) {
	return proto.MarshalOptions{Deterministic: true}.Marshal(&vardev1.Secrets{Values: values})
}

// UnmarshalSecrets reads the content of a bundle after it was opened.
func UnmarshalSecrets(b []byte) (map[string]string, error) {
	m := new(vardev1.Secrets)
	if err := proto.Unmarshal(b, m); err != nil {
		return nil, errors.New("secrets: not a bundle") // the cause could quote a secret
	}
	return m.GetValues(), nil
}

func planToProto(p Plan) *vardev1.Plan {
	m := &vardev1.Plan{
		Generation: p.Number.Generation, Revision: p.Number.Revision, Issued: timestamppb.New(p.Issued),
		CaCertificates: p.Authorities, GossipKeys: p.GossipKeys,
		Coordinators: p.Coordinators, Controls: p.Controls,
	}
	for _, t := range p.Checks {
		m.Checks = append(m.Checks, targetToProto(t))
	}
	for _, r := range p.Regions {
		m.Regions = append(m.Regions, &vardev1.Region{Id: r.ID, Name: r.Name})
	}
	for _, r := range p.Roster {
		m.Roster = append(m.Roster, &vardev1.RosterEntry{
			Name: r.Name, Region: r.Region, Site: r.Site, Asn: r.ASN,
			KeySha256: r.KeySHA256[:], MeshAddress: r.MeshAddress, PeerAddress: r.PeerAddress,
		})
	}
	for name, sum := range p.Bundles {
		if m.BundleSha256 == nil {
			m.BundleSha256 = map[string][]byte{}
		}
		m.BundleSha256[name] = slices.Clone(sum[:])
	}
	return m
}

func planFromProto(m *vardev1.Plan) (Plan, error) {
	issued, err := timeFromProto("issued", m.GetIssued())
	if err != nil {
		return Plan{}, err
	}
	p := Plan{
		Number: PlanNumber{m.GetGeneration(), m.GetRevision()}, Issued: issued,
		Authorities: m.GetCaCertificates(), GossipKeys: m.GetGossipKeys(),
		Coordinators: m.GetCoordinators(), Controls: m.GetControls(),
	}
	p.Checks = slices.Grow(p.Checks, len(m.GetChecks())) // of 10,000 checks half would be garbage
	for i, cm := range m.GetChecks() {
		t, err := targetFromProto(cm)
		if err != nil {
			return Plan{}, fmt.Errorf("checks[%d]: %w", i, err)
		}
		p.Checks = append(p.Checks, t)
	}
	for i, r := range m.GetRegions() {
		if !checks.ValidID(r.GetId()) {
			return Plan{}, fmt.Errorf("regions[%d]: %q is not an id", i, r.GetId())
		}
		p.Regions = append(p.Regions, Region{r.GetId(), r.GetName()})
	}
	for i, rm := range m.GetRoster() {
		r, err := rosterFromProto(rm)
		if err != nil {
			return Plan{}, fmt.Errorf("roster[%d]: %w", i, err)
		}
		p.Roster = append(p.Roster, r)
	}
	for i, k := range p.GossipKeys {
		if len(k) != 32 {
			return Plan{}, fmt.Errorf("gossip_keys[%d]: %d bytes, expected 32", i, len(k))
		}
	}
	p.Bundles, err = bundlesFromProto(m.GetBundleSha256())
	return p, err
}

func rosterFromProto(m *vardev1.RosterEntry) (RosterEntry, error) {
	r := RosterEntry{
		Name: m.GetName(), Region: m.GetRegion(), Site: m.GetSite(), ASN: m.GetAsn(),
		MeshAddress: m.GetMeshAddress(), PeerAddress: m.GetPeerAddress(),
	}
	if !checks.ValidID(r.Name) || !checks.ValidID(r.Region) {
		return RosterEntry{}, fmt.Errorf("%q of %q, expected two ids", r.Name, r.Region)
	}
	if len(m.GetKeySha256()) != len(r.KeySHA256) {
		return RosterEntry{}, fmt.Errorf("key_sha256 has %d bytes, expected 32", len(m.GetKeySha256()))
	}
	r.KeySHA256 = [32]byte(m.GetKeySha256())
	return r, nil
}

func bundlesFromProto(m map[string][]byte) (map[string][32]byte, error) {
	var out map[string][32]byte
	for name, sum := range m {
		if len(sum) != 32 {
			return nil, fmt.Errorf("bundle_sha256[%q]: %d bytes, expected 32", name, len(sum))
		}
		if out == nil {
			out = make(map[string][32]byte, len(m))
		}
		out[name] = [32]byte(sum)
	}
	return out, nil
}
