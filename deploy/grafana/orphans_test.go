//go:build !linux

package grafana

import "syscall"

func noOrphans() *syscall.SysProcAttr { return nil }
