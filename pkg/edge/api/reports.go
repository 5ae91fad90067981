package api

import (
	"context"
	"reflect"
	"strings"

	"github.com/mainstay/mainstay/pkg/node/server"
	"github.com/mainstay/mainstay/pkg/stream/lookup"
	"github.com/mainstay/mainstay/pkg/stream/report"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/calendar"
	"github.com/mainstay/mainstay/processors/measure"
)

// reportAnswer describes a report. What is answered is the report itself.
type reportAnswer struct {
	columns []report.Column
	keys    []string // of the first column, one of which a row has

	attributes bool // or instead of a key the name of an attribute
}

func periodAnswer(measures []measure.Measure[calendar.Period]) reportAnswer {
	return reportAnswer{columns: report.PeriodColumns(measures, report.Month), keys: []string{report.Month, report.Quarter}}
}

func segmentAnswer(of *lookup.SegmentReport) reportAnswer {
	keys := dimensions()
	return reportAnswer{columns: report.SegmentColumns(of, keys[0]), keys: keys, attributes: true}
}

// segmentRoutes are the routes of the reports of segments.
func segmentRoutes() (all []route) {
	for _, r := range lookup.SegmentReports() {
		all = append(all, route{
			path: "/v1/" + r.Name, name: "get" + strings.ToUpper(r.Name[:1]) + r.Name[1:], scope: server.ScopeCustomers, response: segmentAnswer(&r),
			summary: r.About,
			about: "The customers with a standing order, summed by a dimension; the last row, `all`, is of all of them. The same figures as `mainstay report " + r.Name + "`. " +
				"All customers are read for it, as for lists; one read serves all dimensions, and all reports of segments.",
			parameters: []parameter{{name: "by", about: "The dimension.", standard: r.By, oneOf: dimensions(), attribute: true}},
			answer:     func(a *api, ctx context.Context, args arguments) (any, error) { return a.segments(ctx, &r, args["by"]) },
		})
	}
	return all
}

func returnsAnswer() reportAnswer {
	return reportAnswer{columns: report.ReturnColumns(report.Month), keys: periods()}
}

const monthPattern = `^[0-9]{4}-(0[1-9]|1[0-2])$`

// ofAnswer returns the schema of what a route answers.
func (d definitions) ofAnswer(response any) schema {
	r, ok := response.(reportAnswer)
	if !ok {
		return d.of(reflect.TypeOf(response))
	}
	properties, required := schema{}, []string{}
	for _, c := range r.columns[1:] {
		properties[c.Name] = valueSchema(c.Kind)
		required = append(required, c.Name)
	}
	row := schema{"type": "object", "properties": properties, "additionalProperties": false, "required": required}
	var one []schema
	for _, key := range r.keys {
		properties[key] = schema{"type": "string"}
		one = append(one, schema{"required": []string{key}})
	}
	if len(one) == 1 {
		row["required"] = append(required, r.keys[0])
	} else {
		row["oneOf"] = one // by the parameter by
	}
	if r.attributes { // a row by an attribute has its name instead of a key
		row["oneOf"] = append(one, schema{"not": schema{"anyOf": one}, "minProperties": len(r.columns)})
		row["additionalProperties"], row["maxProperties"] = schema{"type": "string"}, len(r.columns)
	}
	return schema{
		"type": "object", "required": []string{"as_of", "currency", "rows"}, "additionalProperties": false,
		"properties": schema{
			"as_of":    schema{"anyOf": []schema{{"type": "string", "format": "date-time"}, {"type": "null"}}, "description": "The least time of the ledger up to which all is read; null while nothing is known"},
			"currency": schema{"anyOf": []schema{{"type": "string"}, {"type": "null"}}, "description": "Of all amounts; null where there is none"},
			"rows":     schema{"type": "array", "items": row},
		},
	}
}

// valueSchema returns the schema of the values of a kind. docs/measures.md has the formula of each measure, by its name.
func valueSchema(k measure.Kind) schema {
	switch k {
	case measure.Text:
		return schema{"type": "string"}
	case measure.Count:
		return schema{"type": "integer"}
	case measure.Choice:
		return schema{"type": "boolean"}
	case measure.Money, measure.Plain, measure.Part:
		return nullable(schema{"type": "number"})
	default:
		panic("api: no schema of a kind of values") // the tests walk all columns
	}
}

func (a *api) answerRetention(ctx context.Context, args arguments) (any, error) {
	return a.periods(ctx, args, calendar.Retention())
}

func (a *api) answerRevenue(ctx context.Context, args arguments) (any, error) {
	return a.periods(ctx, args, calendar.Sales())
}

func (a *api) periods(ctx context.Context, args arguments, measures []measure.Measure[calendar.Period]) (any, error) {
	c, months, err := a.calendar(ctx, args)
	if err != nil {
		return nil, err
	}
	return report.Periods(c, measures, args["by"], months)
}

func (a *api) answerCohorts(ctx context.Context, args arguments) (any, error) {
	c, months, err := a.calendar(ctx, args)
	if err != nil {
		return nil, err
	}
	return report.Cohorts(c, months)
}

// calendar reads the calendar, once the months that are asked for are known to be right.
func (a *api) calendar(ctx context.Context, args arguments) (*lookup.Calendar, report.Months, error) {
	months, err := report.ParseMonths(args["from"], args["to"], args["current"] == "true")
	if err != nil {
		return nil, months, err
	}
	c, err := a.views.Calendar(ctx)
	return c, months, err
}

func (a *api) answerReturns(ctx context.Context, args arguments) (any, error) {
	return a.returns(ctx, args, args["by"])
}

func (a *api) answerAcquisition(ctx context.Context, args arguments) (any, error) {
	return a.returns(ctx, args, report.Source)
}

func (a *api) returns(ctx context.Context, args arguments, by string) (any, error) {
	months, err := report.ParseMonths(args["from"], args["to"], args["current"] == "true")
	if err != nil {
		return nil, err
	}
	all, err := a.views.Returns(ctx)
	if err != nil {
		return nil, err
	}
	return report.Returns(all, by, months)
}

func (a *api) segments(ctx context.Context, of *lookup.SegmentReport, by string) (any, error) {
	s, err := a.views.Segments(ctx, by)
	if err != nil {
		return nil, err
	}
	return report.Segments(of, s), nil
}

type modelAnswer struct {
	AsOf      *string            `json:"as_of" about:"The least time of the ledger up to which all is read; null while nothing is known"`
	Scoring   processors.Scoring `json:"scoring" about:"The newest parameters"`
	Changing  bool               `json:"changing" about:"The newest parameters are not in force for all customers yet"`
	Horizon   uint32             `json:"purchase_horizon_days"`
	Deciles   []decile           `json:"calibration" about:"By the promised probability, from 0 to .1 on; since the ledger began, so with former parameters as well"`
	Predicted float64            `json:"predicted_purchase_days" about:"Within these horizons"`
	Observed  int64              `json:"observed_purchase_days"`
}

type decile struct {
	Decile   int     `json:"decile" about:"From 1, the least probability"`
	Promises int64   `json:"promises" about:"Forecasts whose horizon has passed"`
	Expected float64 `json:"expected" about:"Sum of their probabilities: how many were expected to be kept"`
	Kept     int64   `json:"kept" about:"After how many the customer ordered within the horizon"`
}

func (a *api) answerModel(ctx context.Context, _ arguments) (any, error) {
	m, err := a.views.Model(ctx)
	if err != nil {
		return nil, err
	}
	answer := modelAnswer{
		AsOf: momentIf(m.AsOf), Scoring: m.Scoring, Changing: m.Changing, Horizon: m.HorizonDays,
		Predicted: m.Calibration.PredictedOrders(), Observed: m.Calibration.Observed,
	}
	for i, n := range m.Calibration.Promises {
		answer.Deciles = append(answer.Deciles, decile{i + 1, n, m.Calibration.Promised(i), m.Calibration.Kept[i]})
	}
	return answer, nil
}
