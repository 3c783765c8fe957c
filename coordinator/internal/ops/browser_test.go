package ops

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

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

// get sends one GET to the handler from an operator on this machine.
func get(h http.Handler, target string, header ...string) *httptest.ResponseRecorder {
	return send(h, httptest.NewRequest(http.MethodGet, target, nil), header...)
}

func send(h http.Handler, r *http.Request, header ...string) *httptest.ResponseRecorder {
	r.Host = "127.0.0.1:8081"
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

// TestBrowser looks at the pages as an operator does.
func TestBrowser(t *testing.T) {
	b := pagetest.Start(t)
	open := newServerAnswers(t, nil, "/", "/check/imap-login?range=24h", "/probes", "/probe/akl-1", "/probe/fra-2", "/mail", "/numbers", "/numbers/imap")
	troubles := troubled(newFake())
	id := troubles.register.Cases[1].ID
	hit := newServerAnswers(t, withIncidents(troubles), "/incidents", "/incident/"+id)
	closed := newServerAnswers(t, func(o *Options) { o.Listen, o.Token = ":8081", "a token of some length" }, "/login")
	monthly := newServerAnswers(t, withReports(t), "/reports", "/reports/2026-10.html")
	for _, v := range []pagetest.View{
		{Name: "ops-reports", URL: monthly + "/reports"},
		{Name: "ops-report", URL: monthly + "/reports/2026-10.html"},
		{Name: "ops-overview", URL: open + "/"},
		{Name: "ops-check", URL: open + "/check/imap-login?range=24h"},
		{Name: "ops-mail", URL: open + "/mail"},
		{Name: "ops-numbers", URL: open + "/numbers"},
		{Name: "ops-numbers-service", URL: open + "/numbers/imap"},
		{Name: "ops-probes", URL: open + "/probes"},
		{Name: "ops-probe", URL: open + "/probe/akl-1"},
		{Name: "ops-probe-unfit", URL: open + "/probe/fra-2"},
		{Name: "ops-incidents", URL: hit + "/incidents"},
		{Name: "ops-incident", URL: hit + "/incident/" + id},
		{Name: "ops-login", URL: closed + "/login"},
	} {
		b.Look(t, v)
	}
}

// TestLoginInABrowser: whoever has the token gets in, and nobody else.
func TestLoginInABrowser(t *testing.T) {
	b := pagetest.Start(t)
	server := httptest.NewServer(newServer(t, newFake(), public))
	// The overview listens to the stream until it is closed.
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	// The wrong token first: who is logged in sees no form any more.
	for _, try := range []struct {
		token string
		want  int
	}{{secret + "x", http.StatusForbidden}, {secret, http.StatusOK}} {
		status, heading := b.Submit(t, server.URL+"/login", "#token", try.token)
		if in := strings.HasPrefix(heading, "37 of 45 verdicts up."); status != try.want || in != (try.token == secret) || heading == "Forbidden" {
			t.Errorf("token %q: got %d and the heading %q, want %d", try.token, status, heading, try.want)
		}
	}
}

// newServerAnswers records the answers to the paths at the time of the fake,
// serves them over a real connection and returns its address.
func newServerAnswers(t *testing.T, change func(*Options), paths ...string) string {
	t.Helper()
	// A stream cannot be recorded; of one without content a browser asks no more.
	answers := map[string]*httptest.ResponseRecorder{"/api/v1/stream": {Code: http.StatusNoContent, Body: new(bytes.Buffer)}}
	inBubble(t, func(t *testing.T) {
		s := newServer(t, newFake().withMail(), change)
		for _, p := range paths {
			answers[p] = get(s, p)
		}
	})
	return pagetest.Replay(t, answers)
}
