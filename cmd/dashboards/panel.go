package main

import (
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// panel is what a board says of one figure.
type panel struct {
	title string
	about string // what it shows, and what to make of it
	unit  string // Grafana's name of it
	empty string // shown when there is nothing to show
	asks  []query

	stacked bool
	never   string  // shown for -1, which stands for a moment that has not been
	warn    float64 // coloured from here on; 0: never
	alarm   float64
}

// query is PromQL, and what its series are called.
type query struct{ expr, legend string }

// board is one that is being laid out.
type board struct {
	*dashboard.DashboardBuilder
	panels uint32 // so far; their numbers stay the same while their order does
}

// begin begins a board. Its data source is chosen in Grafana; the one that is provisioned is the default.
func begin(title, uid, about, span, refresh string) *board {
	b := dashboard.NewDashboardBuilder(title).Uid(uid).Description(about).Tags([]string{"mainstay"}).Editable().
		Time("now-"+span, "now").Refresh(refresh).Timezone("browser").Tooltip(dashboard.DashboardCursorSyncCrosshair).
		WithVariable(dashboard.NewDatasourceVariableBuilder("datasource").Label("Data source").Type("prometheus"))
	return &board{b, 0}
}

// row lays out single figures that share a line, and graphs, three in a line.
func (b *board) row(title string, stats, graphs []panel) {
	const columns, perLine = 24, 3
	b.WithRow(dashboard.NewRowBuilder(title).Id(b.number()))
	for i := range stats {
		b.WithPanel(figure(&stats[i], uint32(columns/len(stats))).Id(b.number())) //nolint:gosec // a few
	}
	for i := range graphs {
		b.WithPanel(graph(&graphs[i], columns/perLine).Id(b.number()))
	}
}

func (b *board) number() uint32 {
	b.panels++
	return b.panels
}

func source() common.DataSourceRef {
	return common.DataSourceRef{Type: new("prometheus"), Uid: new("${datasource}")}
}

// figure is a panel of one number, as it stands now.
func figure(p *panel, width uint32) *stat.PanelBuilder {
	const height = 4
	b := stat.NewPanelBuilder().Title(p.title).Description(p.about).Unit(p.unit).NoValue(p.empty).Datasource(source()).
		Height(height).Span(width).ColorMode(common.BigValueColorModeValue).GraphMode(common.BigValueGraphModeNone).
		ReduceOptions(common.NewReduceDataOptionsBuilder().Calcs([]string{"lastNotNull"})).Thresholds(p.limits())
	if p.never != "" {
		b.Mappings([]dashboard.ValueMapping{{ValueMap: &dashboard.ValueMap{
			Type: dashboard.MappingTypeValueToText, Options: map[string]dashboard.ValueMappingResult{"-1": {Text: &p.never}},
		}}})
	}
	for i, q := range p.asks {
		b.WithTarget(prometheus.NewDataqueryBuilder().RefId(letter(i)).Expr(q.expr).LegendFormat(q.legend).Instant())
	}
	return b
}

// graph is a panel over time.
func graph(p *panel, width uint32) *timeseries.PanelBuilder {
	const height, filled = 8, 10
	b := timeseries.NewPanelBuilder().Title(p.title).Description(p.about).Unit(p.unit).NoValue(p.empty).Datasource(source()).
		Height(height).Span(width).FillOpacity(filled).ShowPoints(common.VisibilityModeAuto).Thresholds(p.limits()).
		Legend(common.NewVizLegendOptionsBuilder().DisplayMode(common.LegendDisplayModeList).Placement(common.LegendPlacementBottom).ShowLegend(true)).
		Tooltip(common.NewVizTooltipOptionsBuilder().Mode(common.TooltipDisplayModeMulti).Sort(common.SortOrderDescending))
	if p.stacked {
		b.Stacking(common.NewStackingConfigBuilder().Mode(common.StackingModeNormal))
	}
	if p.warn+p.alarm > 0 {
		b.ThresholdsStyle(common.NewGraphThresholdsStyleConfigBuilder().Mode(common.GraphThresholdsStyleModeDashed))
	}
	for i, q := range p.asks {
		b.WithTarget(prometheus.NewDataqueryBuilder().RefId(letter(i)).Expr(q.expr).LegendFormat(q.legend).Range())
	}
	return b
}

// letter names a query within its panel.
func letter(i int) string { return "ABCDEFGH"[i : i+1] }

func (p *panel) limits() *dashboard.ThresholdsConfigBuilder {
	steps := []dashboard.Threshold{{Color: "green"}}
	if p.warn > 0 {
		steps = append(steps, dashboard.Threshold{Color: "orange", Value: &p.warn})
	}
	if p.alarm > 0 {
		steps = append(steps, dashboard.Threshold{Color: "red", Value: &p.alarm})
	}
	return dashboard.NewThresholdsConfigBuilder().Mode(dashboard.ThresholdsModeAbsolute).Steps(steps)
}
