package https_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"varde/checks"
	ct "varde/checks/checktest"
	"varde/checks/https"
)

// held is a connection of which it can be seen whether anybody remembers it.
type held struct{ net.Conn }

// holder dials for a lab and has a weak pointer to the last connection.
type holder struct {
	checks.Network
	last weak.Pointer[held]
}

func (h *holder) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := h.Network.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	conn := &held{c}
	h.last = weak.Make(conn)
	return conn, nil
}

// TestHTTP2IsForgotten: net/http remembers no connection for longer than idleMax: with
// three hundred checks a second it would be 30 MB of them.
func TestHTTP2IsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lab := ct.NewLab()
		serve(t, lab, &http.Server{TLSConfig: lab.TLS(), Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "hello")
		})}, true)
		env := lab.Env()
		h := &holder{Network: env.Network}
		env.Network = h
		c, err := https.New(checks.Target{URL: "https://" + host, Every: time.Minute}, env)
		if err != nil {
			t.Fatal(err)
		}
		if r := c.Attempt(t.Context(), checks.IPv4); r.Outcome != checks.Up || r.Presented == nil || r.Presented.Protocol != "HTTP/2.0" {
			t.Fatalf("got %+v, want up over HTTP/2", r)
		}
		time.Sleep(2*time.Second + time.Millisecond)
		synctest.Wait()
		runtime.GC()
		if h.last.Value() != nil {
			t.Error("the connection is still remembered")
		}
	})
}
