package server

import (
	"os"
	"testing"

	"github.com/nats-io/nats-server/v2/server/ats"
)

func TestMain(m *testing.M) {
	singleThreaded()
	// JetStream's clock ticks on a goroutine of the process. Started inside a
	// bubble it would wait for a channel from outside, and time would stand.
	ats.Register()
	os.Exit(m.Run())
}
