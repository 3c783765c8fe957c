//go:build !linux

package deploy

import "syscall"

// noOrphans is for Linux alone: elsewhere a test that is killed leaves its
// programs behind.
func noOrphans() *syscall.SysProcAttr { return nil }
