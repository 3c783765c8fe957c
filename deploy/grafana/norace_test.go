//go:build !race

package grafana

func singleThreaded() {}
