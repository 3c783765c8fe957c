// Package status is how `varde-probe status` sees the running agent: one JSON
// object over a unix socket in the probe's state folder. The socket is open to
// the agent's own user only and changes nothing.
package status

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"varde/proto/wire"
)

// Status is what a running agent sees.
type Status struct {
	Name    string    `json:"name"`
	Region  string    `json:"region"`
	Site    string    `json:"site,omitempty"`
	Version string    `json:"version"`
	Epoch   string    `json:"epoch"`
	Started time.Time `json:"started"`
	// CertificateEnds is when the probe's certificate ends.
	CertificateEnds time.Time `json:"certificate_ends"`
	// Qualified says whether the probe is fit to judge, Reason why not.
	Qualified   wire.Qualification `json:"qualified"`
	Reason      string             `json:"reason"`
	Plan        Plan               `json:"plan"`
	Coordinator Uplink             `json:"coordinator"`
	Spool       Spool              `json:"spool"`
	Mesh        Mesh               `json:"mesh"`
	// Faults are what to mend on this host or in its network.
	Faults []Fault `json:"faults"`
	// Counts is how often something happened since the start.
	Counts wire.Counts `json:"counts"`
	// Resting is what turned this probe away and is left alone for it.
	Resting []Resting `json:"resting"`
	// BlockedPorts have never worked from here.
	BlockedPorts []BlockedPort `json:"blocked_ports"`
}

// Resting is an account or a server that is left alone.
type Resting struct {
	// What is left alone, in words.
	What  string    `json:"what"`
	Until time.Time `json:"until"`
}

// BlockedPort is an outbound port to which no connection has ever come about.
type BlockedPort struct {
	Port  uint16    `json:"port"`
	Since time.Time `json:"since"`
}

// Fault is something to mend.
type Fault struct {
	Fault wire.Fault `json:"fault"`
	// Advice says what to do, in words.
	Advice string `json:"advice"`
}

// Plan is the plan in force.
type Plan struct {
	Generation uint64 `json:"generation"`
	Revision   uint64 `json:"revision"`
	// Entries is the number of checks times families that run here.
	Entries int `json:"entries"`
}

// Uplink is the way to the coordinator.
type Uplink struct {
	Connected bool `json:"connected"`
	// Address is the coordinator's, or the one tried last.
	Address string `json:"address,omitempty"`
	// Relay is the probe that passes the connection on; empty for a direct one.
	Relay string `json:"relay,omitempty"`
	// Since is when the connection began, or when the last one ended; null before
	// any was tried.
	Since *time.Time `json:"since"`
	// LastAck is when a coordinator last acknowledged something.
	LastAck *time.Time `json:"last_ack"`
	// LastError is why there is no connection.
	LastError string `json:"last_error,omitempty"`
}

// Spool is what waits on disk for a coordinator.
type Spool struct {
	Records uint64 `json:"records"`
	Bytes   int64  `json:"bytes"`
}

// Mesh is what the probe sees of its peers.
type Mesh struct {
	Address string `json:"address,omitempty"`
	Settled bool   `json:"settled"`
	// Error is why there is no mesh, although there are keys for it.
	Error string `json:"error,omitempty"`
	Peers []Peer `json:"peers"`
}

// Peer is one live probe of the mesh, as it tells of itself.
type Peer struct {
	Name   string `json:"name"`
	Region string `json:"region"`
	Site   string `json:"site,omitempty"`
	// Address is where its mesh answers, PeerAddress where it helps others; empty
	// where it does not.
	Address     string `json:"address"`
	PeerAddress string `json:"peer_address,omitempty"`
	// Generation and Revision are the number of the plan it runs.
	Generation uint64 `json:"generation"`
	Revision   uint64 `json:"revision"`
	// Coordinator says that it reaches one without help.
	Coordinator bool `json:"coordinator"`
}

const (
	socket = "status.sock"
	// maxBody bounds what a client reads; a status of 200 peers has 50 kB.
	maxBody = 1 << 20
	timeout = 3 * time.Second
	// maxPath is how long the path of a socket may be, in bytes: sun_path of
	// unix(7) without the zero at its end.
	maxPath = 107
)

// Serve answers every request with get() until ctx ends.
func Serve(ctx context.Context, dir string, get func() Status) error {
	path := filepath.Join(dir, socket)
	if len(path) > maxPath {
		return fmt.Errorf("listen for status on %s: got a path of %d bytes, expected at most %d: choose a shorter state folder", path, len(path), maxPath)
	}
	// A socket that a killed agent left behind refuses to be bound anew. The
	// lock on the spool has made sure that no other agent lives here.
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove old status socket: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return fmt.Errorf("listen for status: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return errors.Join(fmt.Errorf("protect status socket: %w", err), l.Close())
	}
	srv := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(get()) // the reader went away
		}),
		ReadHeaderTimeout: timeout, WriteTimeout: timeout,
	}
	stop := context.AfterFunc(ctx, func() { _ = srv.Close() })
	defer stop()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve status: %w", err)
	}
	return nil
}

// ErrNotRunning says that no agent answers in the state folder.
var ErrNotRunning = errors.New("no probe runs here: start it with `varde-probe run`")

// Fetch asks the agent that runs on the state folder dir.
func Fetch(ctx context.Context, dir string) (Status, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	client := http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(dir, socket))
		},
		DisableKeepAlives: true,
	}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://probe/", nil)
	if err != nil {
		return Status{}, err
	}
	resp, err := client.Do(req)
	if errors.Is(err, fs.ErrPermission) {
		return Status{}, fmt.Errorf("%s: %w: ask as the user that the probe runs as", filepath.Join(dir, socket), fs.ErrPermission)
	}
	if err != nil {
		return Status{}, fmt.Errorf("%s: %w", filepath.Join(dir, socket), ErrNotRunning)
	}
	defer resp.Body.Close()
	var s Status
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxBody)).Decode(&s); err != nil {
		return Status{}, fmt.Errorf("read status: %w", err)
	}
	return s, nil
}
