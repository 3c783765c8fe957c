package control

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"varde/coordinator/internal/bulletin"
	"varde/coordinator/internal/incident"
)

var dark = time.Date(2026, 11, 22, 7, 42, 10, 0, time.UTC)

func (c *coordinator) ListIncidents(_ context.Context, since time.Time) ([]incident.Shown, error) {
	if !since.Before(dark) {
		return []incident.Shown{}, nil
	}
	return []incident.Shown{{ID: "2026-11-22-imap-00000", Title: "IMAP cannot be reached", Started: dark}}, nil
}

func (c *coordinator) ShowIncident(_ context.Context, id string) (Incident, error) {
	if id != "2026-11-22-imap-00000" {
		return Incident{}, errors.New("incident " + id + ": there is no such incident")
	}
	return Incident{incident.Shown{ID: id, Started: dark}, []incident.Sign{{Name: "somewhere", Words: "It looks like something."}}}, nil
}

func (c *coordinator) OrderIncident(_ context.Context, id string, o incident.Order) (incident.Shown, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.orders = append(c.orders, o)
	return incident.Shown{ID: id}, nil
}

func (c *coordinator) Bulletins(_ context.Context, id string) ([]bulletin.Bulletin, error) {
	return []bulletin.Bulletin{{Page: "main", Incident: id, Title: "IMAP cannot be reached"}}, nil
}

func (c *coordinator) OrderBulletin(_ context.Context, page, id string, o bulletin.Order) (bulletin.Bulletin, error) {
	if page != "main" {
		return bulletin.Bulletin{}, errors.New("the page tells nothing of that incident")
	}
	return bulletin.Bulletin{Page: page, Incident: id, Updates: []bulletin.Update{{At: o.At, By: o.By, Text: o.Text}}}, nil
}

func TestBulletinCommandsReachTheCoordinator(t *testing.T) {
	c := &coordinator{probes: map[string]Probe{}}
	data, _ := start(t, c)
	client, ctx := NewClient(data), t.Context()
	if list, err := client.Bulletins(ctx, "a/b"); err != nil || len(list) != 1 || list[0].Incident != "a/b" {
		t.Errorf("got %+v, %v", list, err)
	}
	order := bulletin.Order{Deed: bulletin.Posting, Mark: incident.Mark{At: dark, By: "Kari", Text: "We are on it."}}
	got, err := client.OrderBulletin(ctx, "main", "x", order)
	if err != nil || len(got.Updates) != 1 || got.Updates[0].Text != "We are on it." || !got.Updates[0].At.Equal(dark) {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := client.OrderBulletin(ctx, "other", "x", order); err == nil || !strings.Contains(err.Error(), "tells nothing") {
		t.Errorf("got %v, want why not", err)
	}
}

func TestIncidentCommandsReachTheCoordinator(t *testing.T) {
	c := &coordinator{probes: map[string]Probe{}}
	data, _ := start(t, c)
	client, ctx := NewClient(data), t.Context()
	for since, want := range map[time.Time]int{dark.Add(-time.Hour): 1, dark.Add(time.Hour): 0} {
		if list, err := client.ListIncidents(ctx, since); err != nil || len(list) != want {
			t.Errorf("since %s: got %d incidents, %v, want %d", since, len(list), err, want)
		}
	}
	one, err := client.ShowIncident(ctx, "2026-11-22-imap-00000")
	if err != nil || !one.Started.Equal(dark) || len(one.Signs) != 1 {
		t.Errorf("got %+v, %v", one, err)
	}
	if _, err := client.ShowIncident(ctx, "../x"); err == nil || err.Error() != "incident ../x: there is no such incident" {
		t.Errorf("got %v, want the coordinator's own words", err)
	}
	order := incident.Order{Mark: incident.Mark{At: dark, By: "kari", Text: "called the upstream"}, Deed: incident.Noting}
	if shown, err := client.OrderIncident(ctx, "2026-11-22-imap-00000", order); err != nil || shown.ID != "2026-11-22-imap-00000" {
		t.Errorf("got %+v, %v", shown, err)
	}
	if diff := cmp.Diff([]incident.Order{order}, c.orders); diff != "" {
		t.Errorf("what the coordinator was told (-want +got):\n%s", diff)
	}
}
