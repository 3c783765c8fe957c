package wire

import (
	"crypto/x509"
	"errors"
	"net/url"
	"strings"

	"varde/checks"
)

// CoordinatorName is the DNS name in a coordinator's certificate. Probes ask
// for it and for the pinned CA, never for a host name.
const CoordinatorName = "coordinator"

// Subject is who a probe is, as its certificate says.
type Subject struct {
	Name, Region string
}

// ErrSubject says that a certificate is not a probe's.
var ErrSubject = errors.New("certificate names no probe")

// URI is the subject as a certificate carries it: varde://probe/REGION/NAME.
func (s Subject) URI() *url.URL {
	return &url.URL{Scheme: "varde", Host: "probe", Path: "/" + s.Region + "/" + s.Name}
}

// SubjectOf reads the subject of a verified certificate.
func SubjectOf(cert *x509.Certificate) (Subject, error) {
	if len(cert.URIs) != 1 {
		return Subject{}, ErrSubject
	}
	u := cert.URIs[0]
	region, name, ok := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	s := Subject{Name: name, Region: region}
	if !ok || !checks.ValidID(name) || !checks.ValidID(region) || u.String() != s.URI().String() {
		return Subject{}, ErrSubject
	}
	return s, nil
}
