// Package grafana makes the dashboards and the alert rules of this folder.
//
// They are files for other programs: import them, or provision them as README.md
// says. They are written by
//
//	go test ./deploy/grafana -update
//
// and a test compares them with what is made here, so that neither can drift. Another
// has a fleet with an outage scraped and asks Debian's Prometheus every query of them:
// each returns data, and the rules fire for what happened and for nothing else.
package grafana

import (
	"encoding/json"
	"fmt"
)

// Dashboard is one dashboard.
type Dashboard struct {
	// UID is its place in Grafana, File its name here.
	UID, File   string
	Title       string
	Description string
	Source      Source
	Variables   []Variable
	Panels      []Panel
}

// Source is the kind of data source that a dashboard asks.
type Source string

// The kinds, as Grafana calls its plugins.
const (
	Prometheus Source = "prometheus"
	InfluxDB   Source = "influxdb"
)

// Variable is a choice of the reader, among what a query finds.
type Variable struct {
	Name, Label, Query string
	// One allows one choice only and none of all.
	One bool
}

// Kind is the kind of a panel, as Grafana calls its plugins.
type Kind string

// The kinds.
const (
	Lines    Kind = "timeseries"
	Stat     Kind = "stat"
	Timeline Kind = "state-timeline"
	Bars     Kind = "bargauge"
)

// Panel is one graph. Panels stand in rows from left to right, 24 columns wide.
type Panel struct {
	Kind        Kind
	Title       string
	Description string
	// Width is in columns, Height in rows of 30 pixels, 8 if zero.
	Width, Height int
	// Unit is Grafana's: "s", "percentunit", "bytes"; none if empty.
	Unit    string
	Queries []Query
	// Max bounds the axis from above; it begins at 0.
	Max *float64
	// Stacked puts lines on top of each other.
	Stacked bool
	// States shows numbers as verdicts, see [stateValues].
	States bool
	// Good and Bad are bounds of a stat's colours: green from Good on, red from Bad on.
	// Nothing is coloured where both are zero.
	Good, Bad float64
}

// Query is one query with what its lines are called.
type Query struct{ Expr, Legend string }

// All returns every dashboard.
func All() []Dashboard { return []Dashboard{Overview(), Check(), Fleet(), Mirror()} }

// JSON is the dashboard as Grafana imports it.
func (d Dashboard) JSON() ([]byte, error) {
	out, err := json.MarshalIndent(d.model(), "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write dashboard %s: %w", d.UID, err)
	}
	return append(out, '\n'), nil
}
