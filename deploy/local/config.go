package main

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"text/template"

	"varde/coordinator/server"
)

// configuration is the coordinator's, as an operator would write it.
const configuration = `# The coordinator of a fleet on one machine. "varde-coordinator run" works
# with this file, too.
name: local
data: coordinator
listen: {grpc: {{printf "%q" .GRPC}}, public: {{printf "%q" .HTTP}}, ops: {{printf "%q" .Ops}}}
advertise: [{{printf "%q" .GRPC}}]
regions:
{{- range .Regions}}
  - {id: {{.ID}}, name: {{.Name}}}
{{- end}}
services:
{{- range .Targets}}
  - {id: {{.Service}}, name: {{.Name}}, slo: 99.9, consent: true}
{{- end}}
checks:
{{- range .Targets}}
  - id: {{.ID}}
    service: {{.Service}}
    kind: {{.Kind}}
    url: {{printf "%q" .URL}}
    every: {{.Every}}
    timeout: {{.Timeout}}
    {{- with .CA}}
    ca: {file: {{.File}}}
    {{- end}}
    {{- with .Login}}
    login: {user: {{.User}}, password: {file: {{.Password.File}}}}
    {{- end}}
{{- end}}
pages:
  - {id: local, title: Local mail, dwell: {minor: 1s, major: 1s, critical: 1s}}
`

// writeConfig writes the coordinator's configuration into the state folder. It
// is a file like any other: a newcomer may open it, change it and run it.
func (f *fleet) writeConfig() (path string, err error) {
	path = filepath.Join(f.dir, "coordinator.yaml")
	grpc, err := coordinatorAddress(path)
	if err != nil {
		return "", err
	}
	text, err := template.New("coordinator.yaml").Parse(configuration)
	if err != nil {
		return "", err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return "", err
	}
	err = text.Execute(file, struct {
		GRPC, HTTP, Ops string
		Regions         []region
		Targets         []watched
	}{grpc, f.opts.HTTP, f.opts.Ops, regions(), f.targets})
	return path, errors.Join(err, file.Close())
}

// coordinatorAddress is where the coordinator of a folder that was kept
// listened, since its probes know it by that; else one that is free now.
func coordinatorAddress(path string) (string, error) {
	if kept, err := server.Load(path); err == nil {
		return kept.Listen.GRPC, nil
	}
	return loopbackPort()
}

// loopbackPort is an address of loopback that is free now.
func loopbackPort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
