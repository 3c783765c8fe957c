// Package proto holds the messages between probes and coordinator: their
// definition and generated code in varde/v1, and in wire the only translation
// between them and the values that the programs work with.
package proto

//go:generate go run ./generate
