//go:build !race

package evidence

func singleThreaded() {}
