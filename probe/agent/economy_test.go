package agent

import (
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
)

// TestEconomize: a process is made small and gets a second thread, unless somebody
// has said otherwise. Each case is a process of its own.
func TestEconomize(t *testing.T) {
	const child = "VARDE_TEST_ECONOMIZE"
	if os.Getenv(child) != "" {
		if os.Getenv(child) == "one" { // as on one core
			runtime.GOMAXPROCS(1)
		}
		Economize()
		t.Logf("procs=%d percent=%d", runtime.GOMAXPROCS(0), debug.SetGCPercent(100))
		return
	}
	for _, c := range []struct{ cores, gogc, procs, want string }{
		{"one", "", "", "procs=2 percent=60"},
		{"many", "", "3", "procs=3 percent=60"},
		{"many", "80", "1", "procs=1 percent=80"},
	} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestEconomize$", "-test.v")
		cmd.Env = append(os.Environ(), child+"="+c.cores, "GOGC="+c.gogc, "GOMAXPROCS="+c.procs)
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), c.want) {
			t.Errorf("%+v: %v\n%s", c, err, out)
		}
	}
}
