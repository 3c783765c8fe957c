package https

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"varde/checks"
)

// leads says whether an answer is a redirect that names a place.
func leads(answer *http.Response) bool {
	switch answer.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return answer.Header.Get("Location") != ""
	}
	return false
}

// lead reads where the answer leads, for people, and why it is not followed.
// Where it is, v.to is set.
func (v *visit) lead() (where, why string) {
	to, err := v.at.URL.Parse(v.answer.Header.Get("Location"))
	if err != nil {
		return "a place", " that cannot be read"
	}
	where = shown(to)
	e, err := checks.Target{URL: to.String()}.Endpoint(Schemes())
	if err != nil || to.User != nil || len(e.URL.String()) > urlMax {
		return where, ", which is no page"
	}
	e.URL.Fragment, e.URL.RawFragment = "", ""
	switch {
	case !strings.EqualFold(e.Host, v.at.Host):
		return where, ", which is another host"
	case v.at.Scheme == "https" && e.Scheme != "https":
		return where, ", which is without TLS"
	case e.Scheme == v.at.Scheme && e.Port != v.at.Port:
		return where, ", which is another port"
	case v.check.redirects == 0:
		return where, ""
	case v.sawAlready(e.URL):
		return where, ", which is a loop"
	case len(v.past) >= v.check.redirects:
		return where, ", one redirect too many"
	}
	v.to = &e
	return where, ""
}

func (v *visit) sawAlready(u *url.URL) bool {
	return v.turned() == v.method && slices.ContainsFunc(append(v.past, v.at.URL), func(p *url.URL) bool { return p.String() == u.String() })
}

// turned is the method with which the place is asked where the answer leads: a
// POST becomes a GET in every browser (RFC 9110 15.4), unless the status forbids
// it.
func (v *visit) turned() string {
	if v.method == http.MethodPost && v.answer.StatusCode <= http.StatusSeeOther {
		return http.MethodGet
	}
	return v.method
}

// shownMax is how much of an address is shown, in bytes: the reason stands
// behind it.
const shownMax = 128

// shown is an address without what may be a secret.
func shown(u *url.URL) string {
	s := (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
	if len(s) > shownMax {
		return s[:shownMax] + "…"
	}
	return s
}

// follow goes where the answer leads: over the same connection where that is
// possible, else over a new one to the same address.
func (v *visit) follow(ctx context.Context) error {
	from := v.at
	v.past, v.at, v.method = append(v.past, from.URL), *v.to, v.turned()
	if v.at.Scheme == from.Scheme {
		var more bool
		if err := v.rec.Phase(ctx, checks.Body, checks.CommandLimit, func(context.Context) (err error) {
			more, err = v.talk.next(v.answer)
			return v.explain(err)
		}); err != nil || more {
			return err
		}
	}
	if err := v.rec.Reconnect(ctx, v.check.network, v.family, v.at.Port); err != nil {
		return err
	}
	return v.open(ctx)
}
