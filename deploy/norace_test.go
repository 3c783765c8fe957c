//go:build !race

package deploy

func singleThreaded() {}
