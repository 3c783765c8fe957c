package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"syscall"
)

// Client speaks to the coordinator that runs with one data folder.
type Client struct {
	data string
	http http.Client
}

var (
	_ Roster    = (*Client)(nil)
	_ Reporter  = (*Client)(nil)
	_ Incidents = (*Client)(nil)
	_ Windows   = (*Client)(nil)
)

// NewClient returns a client for the coordinator of a data folder. It does not
// connect; every call does.
func NewClient(data string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", Socket(data))
	}
	return &Client{data: data, http: http.Client{
		Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true},
	}}
}

// AddProbe puts a probe on the roster.
func (c *Client) AddProbe(ctx context.Context, p NewProbe) (Invitation, error) {
	return call[Invitation](ctx, c, http.MethodPost, "/v1/probes", p)
}

// RemoveProbe takes a probe off the roster.
func (c *Client) RemoveProbe(ctx context.Context, name string) (Removal, error) {
	return call[Removal](ctx, c, http.MethodDelete, "/v1/probes/"+url.PathEscape(name), nil)
}

// Probes lists the roster.
func (c *Client) Probes(ctx context.Context) ([]Probe, error) {
	return call[[]Probe](ctx, c, http.MethodGet, "/v1/probes", nil)
}

// Status returns what the coordinator says of itself.
func (c *Client) Status(ctx context.Context) (Status, error) {
	return call[Status](ctx, c, http.MethodGet, "/v1/status", nil)
}

func call[T any](ctx context.Context, c *Client, method, path string, in any) (T, error) {
	var out T
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	body, err := json.Marshal(in)
	if err != nil {
		return out, fmt.Errorf("write request: %w", err)
	}
	if in == nil {
		body = nil
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://coordinator"+path, bytes.NewReader(body))
	if err != nil {
		return out, fmt.Errorf("write request: %w", err)
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return out, c.explain(err)
	}
	defer answer.Body.Close()
	return decode[T](answer)
}

func decode[T any](answer *http.Response) (T, error) {
	var out T
	data, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return out, fmt.Errorf("read answer: %w", err)
	}
	if answer.StatusCode != http.StatusOK {
		var f failure
		if json.Unmarshal(data, &f) != nil || f.Error == "" {
			return out, fmt.Errorf("the coordinator answered %s: is it of another version?", answer.Status)
		}
		return out, errors.New(f.Error)
	}
	if err := json.Unmarshal(data, &out); err != nil {
		return out, fmt.Errorf("read answer: %w", err)
	}
	return out, nil
}

// explain turns an error of the transport into one that says what to do.
func (c *Client) explain(err error) error {
	socket := Socket(c.data)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("no coordinator runs with data folder %s (no answer at %s): start it with `varde-coordinator run`", c.data, socket)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s: permission denied: run this as the user that the coordinator runs as, or as root", socket)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("the coordinator did not answer at %s within %s", socket, timeout)
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return fmt.Errorf("ask coordinator at %s: %w", socket, err)
}
