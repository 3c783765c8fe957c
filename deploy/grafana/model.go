package grafana

// schema is the version of the JSON, that of Grafana 10.1; newer ones migrate it.
const schema = 38

// model is the dashboard in Grafana's words.
func (d Dashboard) model() dashboardJSON {
	out := dashboardJSON{
		UID: d.UID, Title: d.Title, Description: d.Description, Tags: []string{"varde"}, Schema: schema, Version: 1,
		Editable: true, Tooltip: 1, Refresh: "30s", Timezone: "browser", Time: timeJSON{"now-6h", "now"},
		Templating: listJSON[variableJSON]{[]variableJSON{{
			Name: "datasource", Label: "Data source", Type: "datasource", Query: string(d.Source), Refresh: 1,
		}}},
	}
	for _, v := range d.Variables {
		out.Templating.List = append(out.Templating.List, d.variable(v))
	}
	x, y, tallest := 0, 0, 0
	for i, p := range d.Panels {
		if x+p.Width > 24 {
			x, y, tallest = 0, y+tallest, 0
		}
		height := p.Height
		if height == 0 {
			height = 8
		}
		out.Panels = append(out.Panels, d.panel(i+1, p, gridJSON{H: height, W: p.Width, X: x, Y: y}))
		x, tallest = x+p.Width, max(tallest, height)
	}
	return out
}

func (d Dashboard) source() sourceJSON { return sourceJSON{string(d.Source), "${datasource}"} }

func (d Dashboard) variable(v Variable) variableJSON {
	source := d.source()
	out := variableJSON{
		Name: v.Name, Label: v.Label, Type: "query", Query: v.Query, Definition: v.Query, Source: &source, Refresh: 2, Sort: 1,
	}
	if !v.One {
		out.Multi, out.All, out.AllValue = true, true, ".*"
		out.Current = &choiceJSON{"All", "$__all"}
	}
	return out
}

func (d Dashboard) panel(id int, p Panel, at gridJSON) panelJSON {
	out := panelJSON{
		ID: id, Type: string(p.Kind), Title: p.Title, Description: p.Description, Grid: at, Source: d.source(),
		Field:   fieldJSON{Defaults: p.defaults(), Overrides: []struct{}{}},
		Options: p.options(),
	}
	for i, q := range p.Queries {
		t := targetJSON{Ref: string(rune('A' + i)), Source: d.source(), Legend: q.Legend}
		if d.Source == InfluxDB {
			t.Query, t.Raw, t.Alias, t.Format, t.Legend = q.Expr, true, q.Legend, "time_series", ""
		} else {
			t.Expr = q.Expr
			t.Instant, t.Range = p.Kind == Stat || p.Kind == Bars, p.Kind != Stat && p.Kind != Bars
		}
		out.Targets = append(out.Targets, t)
	}
	return out
}

func (p Panel) defaults() defaultsJSON {
	out := defaultsJSON{
		Unit: p.Unit, Max: p.Max, Color: map[string]string{"mode": "palette-classic"},
		Thresholds: thresholdsJSON{"absolute", []stepJSON{{"green", nil}}},
	}
	if p.Kind == Lines {
		zero := 0.0
		out.Min = &zero
		out.Custom = map[string]any{"fillOpacity": 10, "showPoints": "never", "spanNulls": false}
		if p.Stacked {
			out.Custom["fillOpacity"], out.Custom["stacking"] = 40, map[string]string{"mode": "normal", "group": "A"}
		}
	}
	if p.States {
		out.Mappings = stateMappings()
	}
	if p.Good != 0 || p.Bad != 0 {
		out.Color["mode"] = "thresholds"
		out.Thresholds.Steps = p.steps()
	}
	return out
}

// steps colour a value: the lower of the bounds comes first.
func (p Panel) steps() []stepJSON {
	good, bad := p.Good, p.Bad
	if good > bad {
		return []stepJSON{{"red", nil}, {"orange", &bad}, {"green", &good}}
	}
	return []stepJSON{{"green", nil}, {"orange", &good}, {"red", &bad}}
}

func (p Panel) options() map[string]any {
	switch p.Kind {
	case Stat, Bars:
		return map[string]any{
			"reduceOptions": map[string]any{"calcs": []string{"lastNotNull"}, "fields": "", "values": false},
			"orientation":   "horizontal",
		}
	case Timeline:
		return map[string]any{"showValue": "never", "mergeValues": true, "rowHeight": 0.8}
	case Lines:
		return map[string]any{
			"legend":  map[string]any{"displayMode": "list", "placement": "bottom", "showLegend": true},
			"tooltip": map[string]any{"mode": "multi", "sort": "desc"},
		}
	}
	return nil
}

// stateValues are the verdicts as numbers, in the order of their gravity, with colours
// that those tell apart who do not see red and green.
func stateValues() []stateValue {
	return []stateValue{
		{"unknown", "#8e8e8e"}, {"up", "#1f78b4"}, {"slow", "#ffd92f"}, {"intermittent", "#ff7f00"}, {"down", "#c51b7d"},
	}
}

type stateValue struct{ name, color string }

func stateMappings() []mappingJSON {
	options := map[string]mappedJSON{}
	for i, v := range stateValues() {
		options[string(rune('0'+i))] = mappedJSON{v.name, v.color, i}
	}
	return []mappingJSON{{"value", options}}
}
