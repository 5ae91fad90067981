package main

import (
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// panel is one panel of a dashboard.
type panel struct {
	title       string
	description string // what it shows, and what is healthy
	unit        string // in Grafana's notation
	noValue     string // text shown without data
	queries     []query

	stacked bool
	never   string  // text shown for the value -1: the event has never happened
	warn    float64 // orange from this value on; 0: never
	alarm   float64 // red from this value on; 0: never
}

// query is a PromQL expression and the legend of its series.
type query struct{ expr, legend string }

// builder builds a dashboard row by row.
type builder struct {
	*dashboard.DashboardBuilder
	panels uint32 // added so far; a panel's id is its place in the order of adding
}

// newDashboard returns an empty dashboard. Its data source is a variable; the provisioned one is the default.
func newDashboard(title, uid, about, span, refresh string) *builder {
	b := dashboard.NewDashboardBuilder(title).Uid(uid).Description(about).Tags([]string{"mainstay"}).Editable().
		Time("now-"+span, "now").Refresh(refresh).Timezone("browser").Tooltip(dashboard.DashboardCursorSyncCrosshair).
		WithVariable(dashboard.NewDatasourceVariableBuilder("datasource").Label("Data source").Type("prometheus"))
	return &builder{b, 0}
}

// row adds a row: stats share the first line, graphs follow, three to a line.
func (b *builder) row(title string, stats, graphs []panel) {
	const columns, perLine = 24, 3
	b.WithRow(dashboard.NewRowBuilder(title).Id(b.nextID()))
	for i := range stats {
		b.WithPanel(statPanel(&stats[i], uint32(columns/len(stats))).Id(b.nextID())) //nolint:gosec // a few
	}
	for i := range graphs {
		b.WithPanel(timeSeriesPanel(&graphs[i], columns/perLine).Id(b.nextID()))
	}
}

func (b *builder) nextID() uint32 {
	b.panels++
	return b.panels
}

func source() common.DataSourceRef {
	return common.DataSourceRef{Type: new("prometheus"), Uid: new("${datasource}")}
}

// statPanel shows the latest value.
func statPanel(p *panel, width uint32) *stat.PanelBuilder {
	const height = 4
	b := stat.NewPanelBuilder().Title(p.title).Description(p.description).Unit(p.unit).NoValue(p.noValue).Datasource(source()).
		Height(height).Span(width).ColorMode(common.BigValueColorModeValue).GraphMode(common.BigValueGraphModeNone).
		ReduceOptions(common.NewReduceDataOptionsBuilder().Calcs([]string{"lastNotNull"})).Thresholds(p.thresholds())
	if p.never != "" {
		b.Mappings([]dashboard.ValueMapping{{ValueMap: &dashboard.ValueMap{
			Type: dashboard.MappingTypeValueToText, Options: map[string]dashboard.ValueMappingResult{"-1": {Text: &p.never}},
		}}})
	}
	for i, q := range p.queries {
		b.WithTarget(prometheus.NewDataqueryBuilder().RefId(refID(i)).Expr(q.expr).LegendFormat(q.legend).Instant())
	}
	return b
}

// timeSeriesPanel shows values over time.
func timeSeriesPanel(p *panel, width uint32) *timeseries.PanelBuilder {
	const height, filled = 8, 10
	b := timeseries.NewPanelBuilder().Title(p.title).Description(p.description).Unit(p.unit).NoValue(p.noValue).Datasource(source()).
		Height(height).Span(width).FillOpacity(filled).ShowPoints(common.VisibilityModeAuto).Thresholds(p.thresholds()).
		Legend(common.NewVizLegendOptionsBuilder().DisplayMode(common.LegendDisplayModeList).Placement(common.LegendPlacementBottom).ShowLegend(true)).
		Tooltip(common.NewVizTooltipOptionsBuilder().Mode(common.TooltipDisplayModeMulti).Sort(common.SortOrderDescending))
	if p.stacked {
		b.Stacking(common.NewStackingConfigBuilder().Mode(common.StackingModeNormal))
	}
	if p.warn+p.alarm > 0 {
		b.ThresholdsStyle(common.NewGraphThresholdsStyleConfigBuilder().Mode(common.GraphThresholdsStyleModeDashed))
	}
	for i, q := range p.queries {
		b.WithTarget(prometheus.NewDataqueryBuilder().RefId(refID(i)).Expr(q.expr).LegendFormat(q.legend).Range())
	}
	return b
}

// refID is the name of a query within its panel.
func refID(i int) string { return "ABCDEFGH"[i : i+1] }

func (p *panel) thresholds() *dashboard.ThresholdsConfigBuilder {
	steps := []dashboard.Threshold{{Color: "green"}}
	if p.warn > 0 {
		steps = append(steps, dashboard.Threshold{Color: "orange", Value: &p.warn})
	}
	if p.alarm > 0 {
		steps = append(steps, dashboard.Threshold{Color: "red", Value: &p.alarm})
	}
	return dashboard.NewThresholdsConfigBuilder().Mode(dashboard.ThresholdsModeAbsolute).Steps(steps)
}
