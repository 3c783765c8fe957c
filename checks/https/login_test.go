package https_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"varde/checks"
	ct "varde/checks/checktest"
	"varde/checks/https"
)

// TestLogin: the credentials are sent as the mechanism says, a refusal is our own
// fault, and no detail holds the secret.
func TestLogin(t *testing.T) {
	const token = "eyJhbGciOi.J9-abc_def"
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("probe:"+ct.LabPassword))
	for _, tt := range []struct {
		name      string
		mechanism checks.Mechanism
		password  string
		status    int
		sent      string
		class     checks.Class
	}{
		{"password", "", ct.LabPassword, 200, basic, ""},
		{"token", checks.MechanismOAuthBearer, token, 200, "Bearer " + token, ""},
		{"refused", "", ct.LabPassword, 401, basic, checks.AuthRejected},
		{"not enough", checks.MechanismOAuthBearer, token, 403, "Bearer " + token, checks.AuthRejected},
		{"too often", "", ct.LabPassword, 429, basic, checks.Policy},
		{"broken", "", ct.LabPassword, 503, basic, checks.HTTPStatus},
		{"led away", "", ct.LabPassword, 302, basic, checks.HTTPStatus},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				lab := ct.NewLab()
				var sent []string
				serve(t, lab, &http.Server{TLSConfig: lab.TLS(), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					sent = append(sent, r.Header.Get("Authorization"))
					w.Header().Set("Location", "https://www.example.net/"+tt.password+tt.sent)
					w.WriteHeader(tt.status)
				})}, true)
				env := lab.Env()
				env.Password = func(string) (string, error) { return tt.password, nil }
				c, err := https.New(checks.Target{
					URL: "https://" + host, Every: time.Minute, WebOptions: checks.WebOptions{Redirects: 3},
					Login: &checks.Login{User: "probe", Mechanism: tt.mechanism, Password: checks.Secret{Name: "x"}},
				}, env)
				if err != nil {
					t.Fatal(err)
				}
				r := c.Attempt(t.Context(), checks.IPv4)
				if r.Class != tt.class || len(sent) != 1 || sent[0] != tt.sent {
					t.Errorf("got %+v, sent %q, want %q and %q once", r, sent, tt.class, tt.sent)
				}
				words := fmt.Sprintf("%+v %+v", r, r.Presented)
				if strings.Contains(words, tt.password) || strings.Contains(words, strings.TrimPrefix(tt.sent, "Basic ")) {
					t.Errorf("a secret stands in %s", words)
				}
			})
		})
	}
}

// pemKey is the key of a certificate as PEM.
func pemKey(t *testing.T, c tls.Certificate) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// TestClientCertificate has a server that takes those of one authority only.
func TestClientCertificate(t *testing.T) {
	const up, tlsPhase, later = checks.Phase(""), checks.TLS, checks.FirstByte
	for _, tt := range []struct {
		version uint16
		http    string
		from    string // authority
		phase   checks.Phase
		class   checks.Class
	}{
		{tls.VersionTLS13, "1.1", "right", up, ""},
		{tls.VersionTLS13, "2", "right", up, ""},
		{tls.VersionTLS12, "1.1", "right", up, ""},
		{tls.VersionTLS13, "1.1", "wrong", later, checks.AuthRejected},
		{tls.VersionTLS13, "2", "wrong", later, checks.AuthRejected},
		{tls.VersionTLS12, "1.1", "wrong", tlsPhase, checks.AuthRejected},
		{tls.VersionTLS13, "1.1", "", later, checks.TLSError},
		{tls.VersionTLS12, "2", "", tlsPhase, checks.TLSError},
	} {
		t.Run(fmt.Sprintf("%s/HTTP %s/%s", tls.VersionName(tt.version), tt.http, tt.from), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				lab := ct.NewLab()
				authority := map[string]*ct.CA{"right": ct.NewCA(), "wrong": ct.NewCA()}
				cfg := lab.TLS()
				cfg.MaxVersion, cfg.ClientAuth, cfg.ClientCAs = tt.version, tls.RequireAndVerifyClientCert, authority["right"].Pool()
				serve(t, lab, &http.Server{TLSConfig: cfg, ErrorLog: quiet(), Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}, true)
				env, target := lab.Env(), checks.Target{URL: "https://" + host, Every: time.Minute, WebOptions: checks.WebOptions{HTTP: tt.http}}
				if ca := authority[tt.from]; ca != nil {
					pair := ca.Certificate("probe")
					env.Password = func(string) (string, error) { return pemKey(t, pair), nil }
					target.Client = &checks.ClientCertificate{
						Certificate: checks.Authority{PEM: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]})},
						Key:         checks.Secret{Name: "key"},
					}
				}
				c, err := https.New(target, env)
				if err != nil {
					t.Fatal(err)
				}
				r := c.Attempt(t.Context(), checks.IPv4)
				if r.Class != tt.class || r.FailedPhase != tt.phase || r.Elapsed != 0 {
					t.Errorf("got %+v, want %s in %q", r, tt.class, tt.phase)
				}
			})
		})
	}
}

// TestVersionOfHTTP: one that is forced is offered alone.
func TestVersionOfHTTP(t *testing.T) {
	for _, tt := range []struct {
		name, http string
		offers     []string // by the server
		protocol   string
		class      checks.Class
	}{
		{"2 where both are", "2", []string{"h2", "http/1.1"}, "HTTP/2.0", ""},
		{"1.1 where both are", "1.1", []string{"h2", "http/1.1"}, "HTTP/1.1", ""},
		{"either where both are", "", []string{"h2", "http/1.1"}, "HTTP/2.0", ""},
		{"2 where only 1.1 is", "2", []string{"http/1.1"}, "", checks.TLSError},
		{"2 where nothing is said", "2", nil, "", checks.TLSError},
		{"1.1 where nothing is said", "1.1", nil, "HTTP/1.1", ""},
		{"either where nothing is said", "", nil, "HTTP/1.1", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				lab := ct.NewLab()
				cfg := lab.TLS()
				cfg.NextProtos = tt.offers
				serveOn(t, &http.Server{ErrorLog: quiet(), Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}, tls.NewListener(lab.Listen(t, ":443"), cfg))
				r := ask(t, lab, checks.Target{URL: "https://" + host, WebOptions: checks.WebOptions{HTTP: tt.http}})
				if r.Class != tt.class || r.Elapsed != 0 || r.Class != "" && r.FailedPhase != checks.TLS {
					t.Fatalf("got %+v, want %q in tls", r, tt.class)
				}
				if r.Presented != nil && r.Presented.Protocol != tt.protocol {
					t.Errorf("protocol %q, want %q", r.Presented.Protocol, tt.protocol)
				}
			})
		})
	}
}
