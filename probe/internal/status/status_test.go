package status

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestServeAndFetch(t *testing.T) {
	dir, err := os.MkdirTemp("", "varde-") // short enough for a socket
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if _, err := Fetch(t.Context(), dir); !errors.Is(err, ErrNotRunning) {
		t.Errorf("before: got %v, want %v", err, ErrNotRunning)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended, asked := make(chan error, 1), make(chan bool, 1)
	go func() {
		ended <- Serve(ctx, dir, func() Status {
			asked <- true
			return Status{Name: "osl-1", Mesh: Mesh{Peers: []Peer{{Name: "osl-2"}}}}
		})
	}()
	got, err := Fetch(t.Context(), dir)
	for deadline := time.Now().Add(10 * time.Second); errors.Is(err, ErrNotRunning) && time.Now().Before(deadline); {
		got, err = Fetch(t.Context(), dir) // it is about to listen
	}
	if err != nil || got.Name != "osl-1" || len(got.Mesh.Peers) != 1 || !<-asked {
		t.Errorf("got %+v, %v", got, err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestServeSaysWhatIsTooLong(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("x", maxPath))
	err := Serve(t.Context(), dir, nil)
	if err == nil || !strings.HasSuffix(err.Error(), "expected at most 107: choose a shorter state folder") {
		t.Errorf("got %v, want what to do", err)
	}
}
