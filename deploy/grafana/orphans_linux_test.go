package grafana

import "syscall"

// noOrphans has a program killed when the test that started it is.
func noOrphans() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
