package https

import (
	"net"
	"testing"
	"testing/synctest"
)

// A round trip that never wrote leaves nobody behind who waits to read.
func TestTurnsEndWhenClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, _ := net.Pipe()
		c, read := inTurns(near), make(chan error)
		go func() {
			_, err := c.Read(make([]byte, 1))
			read <- err
		}()
		synctest.Wait()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		select {
		case err := <-read:
			if err == nil {
				t.Error("read something")
			}
		default:
			t.Fatal("still waits to read")
		}
	})
}
