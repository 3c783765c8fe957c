//go:build !race

package server

func singleThreaded() {}
