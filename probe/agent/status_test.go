package agent

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"varde/probe/internal/uplink"
	"varde/proto/wire"
)

// TestStateCanBeRead: the coordinator reads what the probe says of itself,
// however long the name of a home-made version is.
func TestStateCanBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		version := "v0.1.1-0.20261122134500-2bffca7deadb+dirty " + strings.Repeat("x", 100)
		a := newStation(t).agent(t, func(o *Options) { o.Version = version })
		defer a.spool.Close()
		got, err := wire.ProbeStateFromProto(wire.ProbeStateToProto(a.state()))
		if err != nil || got.Version != version[:64] {
			t.Errorf("got version %q, %v, want the first 64 bytes of %q", got.Version, err, version)
		}
	})
}

// TestMeasuresWithoutStatus: an agent whose status socket cannot be made says so
// once and measures all the same.
func TestMeasuresWithoutStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStation(t)
		deep := filepath.Join(s.dir, strings.Repeat("x", 107))
		if err := os.Mkdir(deep, 0o700); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"identity.json", "plan.pb"} {
			if err := os.Rename(filepath.Join(s.dir, name), filepath.Join(deep, name)); err != nil {
				t.Fatal(err)
			}
		}
		s.dir = deep
		a := s.run(t, func(o *Options) { o.Socket = true })
		time.Sleep(time.Minute)
		if got := s.log.String(); strings.Count(got, `level=ERROR msg="no status here, going on without it"`) != 1 {
			t.Errorf("logged\n%s\nwant one line about the status", got)
		}
		if got := len(s.onSchedule(t, a)); got != 12 {
			t.Errorf("%d observations on schedule, want 12", got)
		}
	})
}

// TestStatusForgetsWhatIsMended: while a coordinator answers, nothing is said of
// the error that ended an earlier connection.
func TestStatusForgetsWhatIsMended(t *testing.T) {
	link := uplink.Status{Coordinator: "192.0.2.1:7950", LastError: "connection refused"}
	if got := coordinatorOf(link); got.Connected || got.LastError != "connection refused" {
		t.Errorf("without a connection: got %+v, want the error", got)
	}
	link.Connected = true
	if got := coordinatorOf(link); !got.Connected || got.LastError != "" {
		t.Errorf("with a connection: got %+v, want no error", got)
	}
}
