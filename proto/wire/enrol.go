package wire

import (
	"crypto/ed25519"
	"fmt"
	"slices"

	"varde/checks"
	vardev1 "varde/proto/varde/v1"
)

// EnrolRequest redeems a token.
type EnrolRequest struct {
	// TokenID and Secret are those of the token.
	TokenID, Secret [16]byte
	// Request is a PKCS #10 certificate request, DER, signed with the new key.
	Request []byte
	// Recipient is the age X25519 key ("age1...") for the probe's secrets.
	Recipient string
}

// Enrolment is everything that a new probe needs.
type Enrolment struct {
	// Chain is DER, leaf first.
	Chain              [][]byte
	Name, Region, Site string
	// PlanKey is what plans are signed with.
	PlanKey ed25519.PublicKey
	// Coordinators are host:port.
	Coordinators []string
}

// Bounds of an enrolment, in bytes: several times what any accepted key takes.
const (
	maxRequest   = 16 << 10
	maxRecipient = 128
)

// EnrolRequestToProto returns the message of r.
func EnrolRequestToProto(r EnrolRequest) *vardev1.EnrolRequest {
	return &vardev1.EnrolRequest{
		TokenId: r.TokenID[:], TokenSecret: r.Secret[:], CertificateRequest: r.Request, Recipient: r.Recipient,
	}
}

// EnrolRequestFromProto reads the message. Its errors hold nothing of the
// token.
func EnrolRequestFromProto(m *vardev1.EnrolRequest) (EnrolRequest, error) {
	if len(m.GetTokenId()) != 16 || len(m.GetTokenSecret()) != 16 {
		return EnrolRequest{}, fmt.Errorf("token: %d and %d bytes, expected 16 and 16", len(m.GetTokenId()), len(m.GetTokenSecret()))
	}
	if err := checkRequest(m.GetCertificateRequest()); err != nil {
		return EnrolRequest{}, err
	}
	if n := len(m.GetRecipient()); n == 0 || n > maxRecipient {
		return EnrolRequest{}, fmt.Errorf("recipient: %d bytes, expected 1 to %d", n, maxRecipient)
	}
	return EnrolRequest{
		TokenID: [16]byte(m.GetTokenId()), Secret: [16]byte(m.GetTokenSecret()),
		Request: m.GetCertificateRequest(), Recipient: m.GetRecipient(),
	}, nil
}

// RenewRequestFromProto returns the certificate request of the message, DER.
func RenewRequestFromProto(m *vardev1.RenewRequest) ([]byte, error) {
	return m.GetCertificateRequest(), checkRequest(m.GetCertificateRequest())
}

func checkRequest(der []byte) error {
	if len(der) == 0 || len(der) > maxRequest {
		return fmt.Errorf("certificate_request: %d bytes, expected 1 to %d", len(der), maxRequest)
	}
	return nil
}

// EnrolmentToProto returns the message of e.
func EnrolmentToProto(e Enrolment) *vardev1.EnrolResponse {
	return &vardev1.EnrolResponse{
		CertificateChain: e.Chain, Name: e.Name, Region: e.Region, Site: e.Site,
		PlanKey: e.PlanKey, Coordinators: e.Coordinators,
	}
}

// EnrolmentFromProto reads the message.
func EnrolmentFromProto(m *vardev1.EnrolResponse) (Enrolment, error) {
	switch {
	case len(m.GetCertificateChain()) == 0:
		return Enrolment{}, fmt.Errorf("certificate_chain: missing")
	case !checks.ValidID(m.GetName()) || !checks.ValidID(m.GetRegion()):
		return Enrolment{}, fmt.Errorf("name %.80q of region %.80q, expected two ids", m.GetName(), m.GetRegion())
	case len(m.GetPlanKey()) != ed25519.PublicKeySize:
		return Enrolment{}, fmt.Errorf("plan_key: %d bytes, expected %d", len(m.GetPlanKey()), ed25519.PublicKeySize)
	}
	return Enrolment{
		Chain: m.GetCertificateChain(), Name: m.GetName(), Region: m.GetRegion(), Site: m.GetSite(),
		PlanKey: slices.Clone(m.GetPlanKey()), Coordinators: m.GetCoordinators(),
	}, nil
}
