package mirror

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/influxdata/influxdb-client-go/v2/api/write"
)

// TestAnswers: what each answer of a server is taken for.
func TestAnswers(t *testing.T) {
	words := strings.Repeat("x", 1<<20)
	for name, c := range map[string]struct {
		answer  http.HandlerFunc
		words   string
		refused bool
		dropped uint64
		wait    time.Duration
	}{
		"influxdb 1.8":       {answer: say(400, "application/json", `{"error":"…"}`, "X-Influxdb-Error", "unable to parse 'a b'"), words: "400: unable to parse 'a b'", refused: true},
		"influxdb 1.8 login": {answer: say(401, "application/json", `{"error":"authorization failed"}`), words: "401: authorization failed", refused: true},
		"influxdb 2":         {answer: say(401, "application/json", `{"code":"unauthorized","message":"unauthorized access"}`), words: "401: unauthorized access", refused: true},
		"partial": {
			answer: say(422, "application/json", `{"code":"unprocessable entity","message":"failure writing points to database: partial write: field type conflict: f dropped=17"}`),
			words:  "422: failure writing points to database: partial write: field type conflict: f dropped=17", refused: true, dropped: 17,
		},
		"partial with nothing dropped": {answer: say(400, "text/plain", "partial write: dropped=0"), words: "400: partial write: dropped=0", refused: true},
		"a number too large":           {answer: say(400, "text/plain", "partial write: dropped=99999999999999999999"), words: "400: partial write: dropped=99999999999999999999", refused: true},
		"busy":                         {answer: say(429, "text/plain", "slow down", "Retry-After", "7"), words: "429: slow down", wait: 7 * time.Second},
		"unavailable":                  {answer: say(503, "text/plain", "starting", "Retry-After", "999999"), words: "503: starting", wait: 10 * time.Minute},
		"no json":                      {answer: say(500, "application/json", "<html>"), words: "500: <html>"},
		"elsewhere":                    {answer: say(307, "text/plain", "", "Location", "http://127.0.0.1:1/"), words: "307:", refused: true},
		"endless":                      {answer: say(500, "text/plain", words), words: "500: xxxx"},
		"endless json":                 {answer: say(500, "application/json", `{"message":"`+words), words: `500: {"message":"xxx`},
		"hostile":                      {answer: say(404, "text/plain", "a\x00\x1b[2J\r\nb\xff"), words: "404: a [2J b?", refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(c.answer)
			defer s.Close()
			f := writeOne(t, t.Context(), s.URL)
			if f == nil || !strings.HasPrefix(f.words, c.words) || f.refused != c.refused || f.dropped != c.dropped || f.wait != c.wait || len([]rune(f.words)) > maxWords {
				t.Errorf("got %+v, want %+v", f, c)
			}
		})
	}
}

func say(status int, kind, body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", kind)
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body)) // the reader goes away early
	}
}

func writeOne(t *testing.T, ctx context.Context, url string) *failure {
	t.Helper()
	c := newClient(Target{ID: "m", URL: url, Bucket: "b", TokenFile: "f"}, func(string) (string, error) { return "user:pass", nil })
	err := c.write(ctx, []*write.Point{point("m", map[string]string{"a": "", "b": "c"}, map[string]any{"f": int64(1)}, begin())})
	f := new(failure)
	if err != nil && !errors.As(err, &f) {
		t.Fatalf("got %v, want a failure", err)
	}
	if err == nil {
		return nil
	}
	return f
}

// TestRequest: where it goes, and that a server which says nothing is left.
func TestRequest(t *testing.T) {
	hang := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/sub/api/v2/write" || r.URL.Query().Get("bucket") != "b" || r.Header.Get("Authorization") != "Token user:pass" || r.Header.Get("Content-Encoding") != "gzip" {
			t.Errorf("got %s with %v", r.URL, r.Header)
		}
		<-hang
		w.WriteHeader(http.StatusNoContent)
	}))
	defer s.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if f := writeOne(t, ctx, s.URL+"/sub"); f == nil || f.refused || !strings.Contains(f.words, "deadline exceeded") {
		t.Errorf("got %+v, want the end of our patience", f)
	}
	close(hang)
	if f := writeOne(t, t.Context(), s.URL+"/sub"); f != nil {
		t.Errorf("got %+v, want success", f)
	}
}
