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
	// providers returns those whose people have a token of their own.
	providers func() []Provider
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

// viewer is somebody who may read: an operator of the fleet, or one of the people of
// a provider, who sees what is theirs.
type viewer struct{ provider string }

// bearer says whose token the request shows in its Authorization.
func (g *gate) bearer(r *http.Request) (viewer, bool) {
	given, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return viewer{}, false
	}
	return g.owner(given)
}

// owner says whose a token is. It looks at all of them, whichever it is.
func (g *gate) owner(token string) (v viewer, ok bool) {
	for _, p := range g.providers() {
		if p.Token != "" && same(token, p.Token) {
			v, ok = viewer{p.ID}, true
		}
	}
	if g.token != "" && same(token, g.token) {
		v, ok = viewer{}, true
	}
	return v, ok
}

// same compares two secrets in a time that tells nothing about them.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// admitted says who reads; ok is false for somebody who may not.
func (g *gate) admitted(r *http.Request) (v viewer, ok bool) {
	if v, ok := g.bearer(r); ok {
		return v, true
	}
	if c, err := r.Cookie(sessionCookie); err == nil {
		if v, ok := g.sits(c.Value); ok {
			return v, true
		}
	}
	return viewer{}, g.token == ""
}

// sits says whose session a cookie is: "PROVIDER:" and what was signed for it.
func (g *gate) sits(cookie string) (v viewer, ok bool) {
	provider, signed, ok := strings.Cut(cookie, ":")
	if !ok {
		return viewer{}, false
	}
	v = viewer{provider}
	purpose, known := g.purpose(v)
	return v, known && g.holds(purpose, signed)
}

// purpose is what a session of the viewer is signed for. A provider's token is part
// of it: with a new one the sessions of the old one end.
func (g *gate) purpose(v viewer) (purpose string, ok bool) {
	if v.provider == "" {
		return "session", true
	}
	i := slices.IndexFunc(g.providers(), func(p Provider) bool { return p.ID == v.provider && p.Token != "" })
	if i < 0 {
		return "", false
	}
	token := sha256.Sum256([]byte(g.providers()[i].Token))
	return "session of " + v.provider + " " + hex.EncodeToString(token[:]), true
}

// changeAllowed says whether the request may change something. A Bearer header
// is not sent by a browser on its own; everything else must come from a form
// of ours.
func (g *gate) changeAllowed(r *http.Request) bool {
	if _, ok := g.bearer(r); ok {
		return true
	}
	return sameOrigin(r) && g.holds("page", r.PostFormValue("page_token"))
}

// closed says whether somebody could log in here, and so out.
func (g *gate) closed() bool {
	return g.token != "" || slices.ContainsFunc(g.providers(), func(p Provider) bool { return p.Token != "" })
}

// pageToken is what our forms carry.
func (g *gate) pageToken() string { return g.sign("page", time.Now().Add(pageTokenLength)) }

// session is the cookie of an operator who knew the token. It goes with
// requests of our own pages only, and no script can read it.
func (g *gate) session(v viewer, secure bool) *http.Cookie {
	purpose, _ := g.purpose(v)
	return &http.Cookie{
		Name: sessionCookie, Value: v.provider + ":" + g.sign(purpose, time.Now().Add(sessionLength)), Path: "/",
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
