package grafana

// The words of Grafana's dashboard JSON that are used here
// (grafana/grafana, kinds/dashboard/dashboard_kind.cue).
type (
	dashboardJSON struct {
		UID         string                 `json:"uid"`
		Title       string                 `json:"title"`
		Description string                 `json:"description"`
		Tags        []string               `json:"tags"`
		Schema      int                    `json:"schemaVersion"`
		Version     int                    `json:"version"`
		Editable    bool                   `json:"editable"`
		Tooltip     int                    `json:"graphTooltip"`
		Refresh     string                 `json:"refresh"`
		Timezone    string                 `json:"timezone"`
		Time        timeJSON               `json:"time"`
		Templating  listJSON[variableJSON] `json:"templating"`
		Panels      []panelJSON            `json:"panels"`
	}
	timeJSON struct {
		From string `json:"from"`
		To   string `json:"to"`
	}
	listJSON[T any] struct {
		List []T `json:"list"`
	}
	sourceJSON struct {
		Type string `json:"type"`
		UID  string `json:"uid"`
	}
	variableJSON struct {
		Name       string      `json:"name"`
		Label      string      `json:"label"`
		Type       string      `json:"type"`
		Query      string      `json:"query"`
		Definition string      `json:"definition,omitempty"`
		Source     *sourceJSON `json:"datasource,omitempty"`
		Refresh    int         `json:"refresh"`
		Sort       int         `json:"sort,omitempty"`
		Multi      bool        `json:"multi,omitempty"`
		All        bool        `json:"includeAll,omitempty"`
		AllValue   string      `json:"allValue,omitempty"`
		Current    *choiceJSON `json:"current,omitempty"`
	}
	choiceJSON struct {
		Text  string `json:"text"`
		Value string `json:"value"`
	}
	panelJSON struct {
		ID          int            `json:"id"`
		Type        string         `json:"type"`
		Title       string         `json:"title"`
		Description string         `json:"description,omitempty"`
		Grid        gridJSON       `json:"gridPos"`
		Source      sourceJSON     `json:"datasource"`
		Targets     []targetJSON   `json:"targets"`
		Field       fieldJSON      `json:"fieldConfig"`
		Options     map[string]any `json:"options"`
	}
	gridJSON struct {
		H int `json:"h"`
		W int `json:"w"`
		X int `json:"x"`
		Y int `json:"y"`
	}
	targetJSON struct {
		Ref     string     `json:"refId"`
		Source  sourceJSON `json:"datasource"`
		Expr    string     `json:"expr,omitempty"`
		Legend  string     `json:"legendFormat,omitempty"`
		Instant bool       `json:"instant,omitempty"`
		Range   bool       `json:"range,omitempty"`
		Query   string     `json:"query,omitempty"`
		Raw     bool       `json:"rawQuery,omitempty"`
		Alias   string     `json:"alias,omitempty"`
		Format  string     `json:"resultFormat,omitempty"`
	}
	fieldJSON struct {
		Defaults  defaultsJSON `json:"defaults"`
		Overrides []struct{}   `json:"overrides"`
	}
	defaultsJSON struct {
		Unit       string            `json:"unit,omitempty"`
		Min        *float64          `json:"min,omitempty"`
		Max        *float64          `json:"max,omitempty"`
		Color      map[string]string `json:"color"`
		Custom     map[string]any    `json:"custom,omitempty"`
		Mappings   []mappingJSON     `json:"mappings,omitempty"`
		Thresholds thresholdsJSON    `json:"thresholds"`
	}
	thresholdsJSON struct {
		Mode  string     `json:"mode"`
		Steps []stepJSON `json:"steps"`
	}
	stepJSON struct {
		Color string   `json:"color"`
		Value *float64 `json:"value"`
	}
	mappingJSON struct {
		Type    string                `json:"type"`
		Options map[string]mappedJSON `json:"options"`
	}
	mappedJSON struct {
		Text  string `json:"text"`
		Color string `json:"color"`
		Index int    `json:"index"`
	}
)
