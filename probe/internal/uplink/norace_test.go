//go:build !race

package uplink_test

func singleThreaded() {}
