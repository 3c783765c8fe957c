package ops

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"varde/coordinator/internal/page"
)

// gate decides who may ask. It holds no state that a request can change.
type gate struct {
	// token is what operators must show; empty on loopback, where everybody
	// who reaches the listener may read.
	token string
	// hosts returns the names under which we may be asked.
	hosts func() []string
	// key signs sessions and page tokens. It is made of the token, or of chance
	// where there is none, so that a restart ends what it cannot know.
	key []byte
}

// MinToken is the smallest length of a token in characters; shorter ones can
// be guessed.
const MinToken = 16

// The name of the session cookie and how long a session lasts.
const (
	sessionCookie = "varde_ops"
	sessionLength = 12 * time.Hour
	// pageTokenLength is how long a form may lie open.
	pageTokenLength = time.Hour
)

// Loopback says whether a listen address, host:port, is reached from this
// machine only. Elsewhere operators must show a token.
func Loopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return false
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

// hostAllowed says whether a Host header names us. An address needs no list:
// rebinding needs a name that its owner can point elsewhere.
func (g *gate) hostAllowed(header string) bool {
	host := page.Host(header)
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	return host == "localhost" || slices.ContainsFunc(g.hosts(), func(name string) bool { return page.Host(name) == host })
}

// sameOrigin says whether a request that changes something comes from our own
// page. A browser always sends Origin with a POST (Fetch, section 3.2).
func sameOrigin(r *http.Request) bool {
	u, err := url.Parse(r.Header.Get("Origin"))
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, r.Host)
}

// bearer says whether the request shows the token in its Authorization.
func (g *gate) bearer(r *http.Request) bool {
	given, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return ok && g.token != "" && same(given, g.token)
}

// same compares two secrets in a time that tells nothing about them.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// admitted says whether the request may read.
func (g *gate) admitted(r *http.Request) bool {
	if g.token == "" || g.bearer(r) {
		return true
	}
	c, err := r.Cookie(sessionCookie)
	return err == nil && g.holds("session", c.Value)
}

// changeAllowed says whether the request may change something. A Bearer header
// is not sent by a browser on its own; everything else must come from a form
// of ours.
func (g *gate) changeAllowed(r *http.Request) bool {
	if g.bearer(r) {
		return true
	}
	return sameOrigin(r) && g.holds("page", r.PostFormValue("page_token"))
}

// pageToken is what our forms carry.
func (g *gate) pageToken() string { return g.sign("page", time.Now().Add(pageTokenLength)) }

// session is the cookie of an operator who knew the token. It goes with
// requests of our own pages only, and no script can read it.
func (g *gate) session(secure bool) *http.Cookie {
	return &http.Cookie{
		Name: sessionCookie, Value: g.sign("session", time.Now().Add(sessionLength)), Path: "/",
		MaxAge: int(sessionLength / time.Second), HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: secure,
	}
}

// sign makes a value that says until when it holds and cannot be forged.
func (g *gate) sign(purpose string, until time.Time) string {
	seconds := strconv.FormatInt(until.Unix(), 10)
	return seconds + "." + g.mac(purpose, seconds)
}

func (g *gate) mac(purpose, seconds string) string {
	m := hmac.New(sha256.New, g.key)
	fmt.Fprintf(m, "varde ops %s until %s", purpose, seconds)
	return hex.EncodeToString(m.Sum(nil))
}

// holds says whether a value was signed for the purpose and is not over.
func (g *gate) holds(purpose, value string) bool {
	seconds, mac, ok := strings.Cut(value, ".")
	if !ok || !same(mac, g.mac(purpose, seconds)) {
		return false
	}
	until, err := strconv.ParseInt(seconds, 10, 64)
	return err == nil && time.Now().Unix() < until
}
