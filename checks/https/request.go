package https

import (
	"context"
	"encoding/base64"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"varde/checks"
)

// What bounds the headers of a target: a request must fit into what a server
// with ordinary limits takes, with the address and the credentials.
const (
	headersMax     = 32
	headersSizeMax = 8 << 10
)

// methods are those that ask without a body.
func methods() []string {
	return []string{http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPost}
}

func readMethod(m string) error {
	if !slices.Contains(methods(), m) {
		return fault("method", "%.32q, expected one of %s", m, strings.Join(methods(), ", "))
	}
	return nil
}

// readHeader returns what is given of the header of the requests.
func readHeader(given map[string]string) (h http.Header, _ error) {
	if len(given) > 0 {
		h = http.Header{}
	}
	var errs []error
	size := 0
	for name, value := range given {
		key := http.CanonicalHeaderKey(name)
		size += len(name) + len(value) + len(": \r\n")
		if why := unfit(key, value); why != "" {
			errs = append(errs, fault("headers", "%.64q: %s", name, why))
		} else if h[key] != nil {
			errs = append(errs, fault("headers", "%.64q is given twice, expected each name once", name))
		}
		h[key] = []string{value}
	}
	if len(given) > headersMax || size > headersSizeMax {
		errs = append(errs, fault("headers", "%d of %d bytes, expected at most %d of %d bytes in all", len(given), size, headersMax, headersSizeMax))
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return h, errors.Join(errs...)
}

// unfit says why a target may not have a header; empty if it may.
func unfit(key, value string) string {
	switch {
	case !httpguts.ValidHeaderFieldName(key):
		return "not a name, expected a token of RFC 9110"
	case !httpguts.ValidHeaderFieldValue(value):
		return "its value has control characters, expected none"
	}
	switch key {
	case "Authorization", "Proxy-Authorization", "Cookie":
		return "holds a secret, expected it under login"
	case "Host", "Content-Length":
		return "given, expected none: it follows from the address and the method"
	case "Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Http2-Settings", "Expect":
		return "given, expected none: it belongs to one connection"
	case "Accept-Encoding":
		return "given, expected none: nothing is decompressed"
	}
	return ""
}

// readLogin takes a user with a password, or with a bearer token.
func readLogin(l *checks.Login, secure bool) error {
	var errs []error
	if !secure {
		errs = append(errs, fault("login", "given for http://, expected it with https:// only"))
	}
	switch {
	case l.Mechanism == checks.MechanismOAuthBearer:
	case l.Mechanism != "":
		errs = append(errs, fault("login.mechanism", "%q, expected %q or none on the web", l.Mechanism, checks.MechanismOAuthBearer))
	case strings.Contains(l.User, ":"):
		errs = append(errs, fault("login.user", "%.64q, expected none with a colon (RFC 7617)", l.User))
	}
	return errors.Join(errs...)
}

// logIn puts the credentials into the header of the requests.
func (c *Check) logIn(t checks.Target, env checks.Env) error {
	as, err := t.Credentials(env)
	if as == nil || err != nil {
		return err
	}
	words := "Bearer " + as.Password
	c.secrets = []string{as.Password}
	if as.Mechanism == "" {
		pair := base64.StdEncoding.EncodeToString([]byte(as.User + ":" + as.Password))
		words = "Basic " + pair
		c.secrets = append(c.secrets, pair)
	}
	if !httpguts.ValidHeaderFieldValue(words) {
		return fault("login.password", "has control characters, expected a token")
	}
	if c.header == nil {
		c.header = http.Header{}
	}
	c.header.Set("Authorization", words)
	return nil
}

// request is what is sent to an address.
func (c *Check) request(ctx context.Context, method string, to *url.URL) *http.Request {
	header := http.Header{"User-Agent": {"varde-probe"}, "Accept": {"*/*"}}
	maps.Copy(header, c.header)
	return (&http.Request{
		Method: method, URL: to, Host: to.Host, Header: header, Body: http.NoBody,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}).WithContext(ctx)
}
