package agent

import (
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
)

// TestEconomize: a process is made small and gets a second thread, unless somebody
// has said otherwise. Each case is a process of its own.
func TestEconomize(t *testing.T) {
	const child = "VARDE_TEST_ECONOMIZE"
	if os.Getenv(child) != "" {
		procs := 1 // as on one core
		if n, err := strconv.Atoi(os.Getenv("GOMAXPROCS")); err == nil {
			procs = n // which TestMain may have changed
		}
		runtime.GOMAXPROCS(procs)
		Economize()
		t.Logf("procs=%d percent=%d", runtime.GOMAXPROCS(0), debug.SetGCPercent(100))
		return
	}
	for _, c := range []struct{ gogc, procs, want string }{
		{"", "", "procs=2 percent=60"},
		{"", "3", "procs=3 percent=60"},
		{"80", "1", "procs=1 percent=80"},
	} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestEconomize$", "-test.v")
		cmd.Env = append(os.Environ(), child+"=1", "GOGC="+c.gogc, "GOMAXPROCS="+c.procs)
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), c.want) {
			t.Errorf("%+v: %v\n%s", c, err, out)
		}
	}
}
