package pagetest

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"
)

// Replay serves recorded answers, by path and query, over a real connection and
// returns its address. What was rendered at the time of a bubble can so be
// looked at by a browser, which lives outside of it. Anything else that a page
// asks for fails the test.
func Replay(t *testing.T, answers map[string]*httptest.ResponseRecorder) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := answers[r.URL.RequestURI()]
		if a == nil {
			t.Errorf("the page asks for %s, which was not recorded", r.URL.RequestURI())
			http.NotFound(w, r)
			return
		}
		maps.Copy(w.Header(), a.Header())
		w.WriteHeader(a.Code)
		_, _ = w.Write(a.Body.Bytes())
	}))
	t.Cleanup(server.Close)
	return server.URL
}
