package statuspage

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"varde/coordinator/internal/mail"
	"varde/coordinator/pagetest"
)

// inBubble runs f at the time of the fake.
func inBubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(morning))
		f(t)
	})
}

// ask sends one GET to the handler.
func ask(h http.Handler, target string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
			continue
		}
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// replay records the answers to the paths at the time of the fake and serves
// them over a real connection.
func replay(t *testing.T, f *fake, paths ...string) string {
	t.Helper()
	answers := map[string]*httptest.ResponseRecorder{}
	inBubble(t, func(t *testing.T) {
		site := newSite(t, f)
		for _, p := range paths {
			answers[p] = ask(site, p)
		}
	})
	return pagetest.Replay(t, answers)
}

// TestBrowser looks at the pages as a reader does.
func TestBrowser(t *testing.T) {
	b := pagetest.Start(t)
	attacked := newFake(true)
	attacked.mails = mail.Sums{Sent: 1440, Arrived: 1438, Longest: 47 * time.Minute, Late: 12, Pending: 2, Waiting: morning.Add(-time.Minute)}
	out := replay(t, attacked, "/", "/service/imap?range=24h", "/badge/imap.svg", "/graph/imap.svg?range=24h")
	told := replay(t, newFake(true).withBulletins(), "/", "/history", "/incident/i-20261122-0742-aa")
	quiet := replay(t, newFake(false), "/")
	many := replay(t, crowd(), "/")
	worst := newFake(false)
	for _, s := range worst.services {
		worst.set(s.ID, "", down)
	}
	nothing := replay(t, worst, "/")
	for _, v := range []pagetest.View{
		{Name: "public-nothing", URL: nothing + "/"},
		{Name: "public-many", URL: many + "/"},
		{Name: "public-outage", URL: out + "/"},
		{Name: "public-told", URL: told + "/"},
		{Name: "public-incident", URL: told + "/incident/i-20261122-0742-aa"},
		{Name: "public-history", URL: told + "/history"},
		{Name: "public-quiet", URL: quiet + "/"},
		{Name: "public-service", URL: out + "/service/imap?range=24h"},
	} {
		b.Look(t, v)
	}
}
