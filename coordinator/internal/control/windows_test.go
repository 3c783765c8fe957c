package control

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"varde/coordinator/internal/plan"
	"varde/coordinator/internal/register"
)

func (c *coordinator) ListWindows(_ context.Context, kind register.Kind, since time.Time) ([]Window, error) {
	if kind != register.Watch || !since.Equal(dark) {
		return nil, errors.New("asked for " + string(kind) + " since " + since.String())
	}
	return []Window{{Window: register.Window{ID: "w-1", Kind: kind}, State: "active", Checks: []plan.Watched{{Check: "imap", Own: time.Minute, Every: 20 * time.Second}}}}, nil
}

func (c *coordinator) AddWindow(_ context.Context, w register.Window) (Window, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if w.Title == "" {
		return Window{}, errors.New("title: got \"\", expected some\nto: got nothing")
	}
	c.announced = append(c.announced, w)
	w.ID = "w-1"
	return Window{Window: w, State: "coming"}, nil
}

func (c *coordinator) CancelWindow(_ context.Context, kind register.Kind, id, by string) (Window, error) {
	return Window{Window: register.Window{Kind: kind, ID: id, CancelledBy: by}}, nil
}

func TestWindowCommandsReachTheCoordinator(t *testing.T) {
	c := &coordinator{probes: map[string]Probe{}}
	data, _ := start(t, c)
	client, ctx := NewClient(data), t.Context()
	list, err := client.ListWindows(ctx, register.Watch, dark)
	if err != nil || len(list) != 1 || list[0].ID != "w-1" || list[0].State != "active" || list[0].Checks[0].Every != 20*time.Second {
		t.Errorf("got %+v, %v", list, err)
	}
	w := register.Window{
		Kind: register.Watch, Services: []string{"imap"}, From: dark, To: dark.Add(time.Hour), Title: "Attack", By: "kari", Every: 10 * time.Second,
	}
	added, err := client.AddWindow(ctx, w)
	if err != nil || added.ID != "w-1" || added.State != "coming" {
		t.Errorf("got %+v, %v", added, err)
	}
	if diff := cmp.Diff([]register.Window{w}, c.announced); diff != "" {
		t.Errorf("what the coordinator was told (-want +got):\n%s", diff)
	}
	if _, err := client.AddWindow(ctx, register.Window{}); err == nil || err.Error() != "title: got \"\", expected some\nto: got nothing" {
		t.Errorf("got %v, want the coordinator's own words", err)
	}
	gone, err := client.CancelWindow(ctx, register.Maintenance, "m/../x", "ola")
	if err != nil || gone.ID != "m/../x" || gone.Kind != register.Maintenance || gone.CancelledBy != "ola" {
		t.Errorf("got %+v, %v", gone, err)
	}
}
