// Command generate makes the Go code of varde/v1 anew with protoc and with the
// plugins that go.mod pins. Use: go generate ./proto
package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

func main() {
	out := "."
	if len(os.Args) > 1 {
		out = os.Args[1] // a test compares this folder with what is committed
	}
	if err := generate(out); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

// generate runs in the folder proto and writes below out.
func generate(out string) error {
	tools, err := os.MkdirTemp("", "varde-protoc-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(tools) }() // a folder of the system's own
	args := []string{
		"--proto_path=.", "--go_out=" + out, "--go-grpc_out=" + out,
		"--go_opt=paths=source_relative", "--go-grpc_opt=paths=source_relative",
	}
	for name, pkg := range map[string]string{
		"protoc-gen-go":      "google.golang.org/protobuf/cmd/protoc-gen-go",
		"protoc-gen-go-grpc": "google.golang.org/grpc/cmd/protoc-gen-go-grpc",
	} {
		bin := filepath.Join(tools, name)
		if err := run("go", "build", "-o", bin, pkg); err != nil {
			return err
		}
		args = append(args, "--plugin="+name+"="+bin)
	}
	files, err := filepath.Glob("varde/v1/*.proto")
	if err != nil {
		return err
	}
	return run("protoc", append(args, files...)...)
}

func run(name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
