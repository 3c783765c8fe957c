//go:build !race

package archive

func singleThreaded() {}
