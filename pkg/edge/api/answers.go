package api

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"

	"github.com/mainstay/mainstay/pkg/edge/views"
	"github.com/mainstay/mainstay/pkg/stream/lookup"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/schemas/output"
	"github.com/mainstay/mainstay/schemas/timestamp"
)

// The answers. A tag about describes a field in OpenAPI; a tag schema names the schema of a field that is written elsewhere.

type customerAnswer struct {
	Customer string           `json:"customer_id"`
	AsOf     string           `json:"as_of" about:"The ledger's time at which the scores are true"`
	Ledger   processors.Place `json:"ledger"`
	Referrer *string          `json:"referrer_customer_id"`
	AtStake  *json.Number     `json:"value_at_stake" about:"predicted_clv x churn_probability"`
	CLV      json.RawMessage  `json:"clv" schema:"clv"`
	Churn    json.RawMessage  `json:"churn_risk" schema:"churn-risk"`
	Promoter json.RawMessage  `json:"promoter_status" schema:"promoter-status"`
	Alerts   []openAlert      `json:"open_alerts" about:"Published and not cleared"`

	Engagement *processors.EngagementAnswer `json:"engagement" about:"What they do besides buying; null: nothing is known"`
	Attributes map[string]string            `json:"attributes" about:"Those of the setting attributes that events have stated, by name"`
	Mark       *processors.MarkAnswer       `json:"mark" about:"What somebody did about the customer on the list of calls; null: nobody has marked them"`

	tag string
}

func (c customerAnswer) etag() string { return c.tag }

type openAlert struct {
	AlertID  string `json:"alert_id"`
	Rule     string `json:"rule"`
	Severity string `json:"severity"`
	Initial  bool   `json:"initial" about:"Opened by a first evaluation, not by a crossing"`
	RaisedAt string `json:"raised_at"`

	Group *string `json:"group" about:"treated or control: nobody is to act on an alert of control; null: there were no groups"`
}

func openAlertOf(a *processors.OpenAlert) openAlert {
	o := openAlert{AlertID: a.AlertID, Rule: a.Rule, Severity: a.Severity, Initial: a.State == "initial", RaisedAt: moment(a.RaisedAt)}
	if a.Group != "" {
		o.Group = new(a.Group)
	}
	return o
}

func (a *api) answerCustomer(ctx context.Context, args arguments) (any, error) {
	p, err := a.views.Profile(ctx, args["id"])
	if err != nil {
		return nil, err
	}
	s := &p.Scores
	answer := customerAnswer{
		Customer: s.Customer, AsOf: moment(s.AsOf), Ledger: p.Explanation.Ledger, Referrer: p.Explanation.Referrer, AtStake: amount(p, s.ValueAtStake()),
		CLV: s.CLV.Append(nil), Churn: s.Churn.Append(nil), Promoter: s.Promoter.Append(nil), Alerts: []openAlert{},
		Engagement: processors.AnswerEngagement(&s.Engagement), Mark: processors.AnswerMark(s.Mark),
		Attributes: p.Named(a.views.Attributes),
	}
	answer.tag = tagOf(a.views.Genesis.GetLedgerId(), s, answer.Attributes)
	for i := range p.Alerts {
		answer.Alerts = append(answer.Alerts, openAlertOf(&p.Alerts[i]))
	}
	return answer, nil
}

// tagOf is the weak ETag of a customer's scores.
func tagOf(ledgerID string, s *processors.CustomerScores, attributes map[string]string) string {
	tag := fmt.Sprintf("%.12s-%d", ledgerID, s.CLV.Sequence)
	if n := s.Engagement.Events; n > 0 { // these cause no output
		//mutant:etag-without-engagement delete
		tag += fmt.Sprintf("-%d", n)
	}
	if s.Mark != nil { // likewise
		//mutant:etag-without-mark delete
		tag += "-m" + hashOf(processors.AnswerMark(s.Mark))
	}
	if len(attributes) > 0 { // these depend on the setting
		//mutant:etag-without-attributes delete
		tag += "-a" + hashOf(attributes)
	}
	return `W/"` + tag + `"`
}

func hashOf(answer any) string {
	text, err := json.Marshal(answer) // maps in the order of their keys
	if err != nil {                   // texts can be encoded
		panic(err)
	}
	return fmt.Sprintf("%08x", crc32.ChecksumIEEE(text))
}

// explanation is processors.Explanation under a name of the API's own.
type explanation processors.Explanation

func (a *api) answerExplanation(ctx context.Context, args arguments) (any, error) {
	p, err := a.views.Profile(ctx, args["id"])
	if err != nil {
		return nil, err
	}
	return explanation(p.Explanation), nil
}

type pathAnswer struct {
	Customer string  `json:"customer_id"`
	AsOf     string  `json:"as_of" about:"Points after it say what silence would bring"`
	Currency string  `json:"currency"`
	Points   []point `json:"points"`
}

type point struct {
	At          string       `json:"at"`
	Probability *json.Number `json:"churn_probability"`
	Risk        string       `json:"churn_risk"`
	Orders      int64        `json:"historic_number_of_orders"`
	Historic    json.Number  `json:"historic_clv"`
	Total       *json.Number `json:"total_clv"`
}

func (a *api) answerPath(ctx context.Context, args arguments) (any, error) {
	p, err := a.views.Profile(ctx, args["id"])
	if err != nil {
		return nil, err
	}
	answer := pathAnswer{Customer: p.Scores.Customer, AsOf: moment(p.Scores.AsOf), Currency: p.Scores.CLV.Currency.Code, Points: []point{}}
	for _, at := range p.Path() {
		one := point{At: moment(at.At), Risk: at.Risk, Orders: at.Orders, Historic: *amount(p, output.Some(at.Historic)), Total: amount(p, at.Total)}
		if at.Probability.Known {
			one.Probability = new(json.Number(fmt.Sprintf("%.4f", at.Probability.Value)))
		}
		answer.Points = append(answer.Points, one)
	}
	return answer, nil
}

type listAnswer struct {
	AsOf      *string `json:"as_of" about:"The least time of the ledger at which a customer was read; null while nothing is known"`
	Customers []row   `json:"customers"`
	Next      *string `json:"next_cursor" about:"cursor of the page after this one; null: this is the last"`
}

// row is a customer in a list: an object with a field for each column.
type row struct {
	lookup.Listed
	columns []lookup.Column
}

// MarshalJSON writes all columns.
func (r row) MarshalJSON() ([]byte, error) {
	return lookup.AppendJSON(nil, r.columns, &r.Listed), nil
}

func (a *api) rows(all []lookup.Listed) []row {
	out, columns := make([]row, len(all)), a.views.Columns()
	for i := range all {
		out[i] = row{all[i], columns}
	}
	return out
}

func (a *api) answerList(ctx context.Context, args arguments) (any, error) {
	q := views.Query{Sort: args["sort"], Ascending: args["ascending"] == "true", Where: args["where"], Limit: args.whole("limit")}
	if text := args["cursor"]; text != "" {
		var err error
		if q.After, err = readCursor(&q, text); err != nil {
			return nil, err
		}
	}
	l, err := a.views.List(ctx, q)
	if err != nil {
		return nil, err
	}
	answer := listAnswer{AsOf: momentIf(l.AsOf), Customers: a.rows(l.Rows)}
	if l.More && len(l.Rows) > 0 {
		at, err := a.views.PositionOf(&q, &l.Rows[len(l.Rows)-1])
		if err != nil {
			return nil, err
		}
		answer.Next = new(writeCursor(&q, at))
	}
	return answer, nil
}

type todayAnswer struct {
	AsOf      *string `json:"as_of" about:"The least time of the ledger at which a customer was read; null while nothing is known"`
	Capacity  int     `json:"capacity"`
	Hidden    int     `json:"hidden" about:"Customers who are left out since somebody has marked them as done or snoozed them"`
	Customers []row   `json:"customers"`
}

func (a *api) answerToday(ctx context.Context, args arguments) (any, error) {
	capacity := args.whole("capacity")
	l, err := a.views.CallList(ctx, capacity, args["all"] == "true")
	if err != nil {
		return nil, err
	}
	return todayAnswer{momentIf(l.AsOf), capacity, len(l.Hidden), a.rows(l.Rows)}, nil
}

type alertsAnswer struct {
	AsOf   *string       `json:"as_of" about:"The least time of the ledger at which a customer was read; null while nothing is known"`
	Open   int64         `json:"open" about:"Open alerts that the parameters name, also those that are not listed"`
	Rules  []ruleCount   `json:"rules" about:"Open alerts by rule, whatever the parameters"`
	Alerts []listedAlert `json:"alerts"`
}

type ruleCount struct {
	Rule     string `json:"rule"`
	Severity string `json:"severity"`
	Open     int64  `json:"open"`
}

type listedAlert struct {
	openAlert
	Customer row `json:"customer"`
}

func (a *api) answerAlerts(ctx context.Context, args arguments) (any, error) {
	t, err := a.views.Tally(ctx, lookup.AlertQuery{Rule: args["rule"], Severity: args["severity"], Group: args["group"], Limit: args.whole("limit")})
	if err != nil {
		return nil, err
	}
	answer := alertsAnswer{AsOf: momentIf(t.AsOf), Open: t.Matching, Rules: []ruleCount{}, Alerts: []listedAlert{}}
	for _, r := range t.Rules {
		answer.Rules = append(answer.Rules, ruleCount{r.Rule, r.Severity, r.Open})
	}
	columns := a.views.Columns()
	for i := range t.Alerts {
		answer.Alerts = append(answer.Alerts, listedAlert{openAlertOf(&t.Alerts[i].Alert), row{t.Alerts[i].Customer, columns}})
	}
	return answer, nil
}

type portfolioAnswer struct {
	Latest json.RawMessage   `json:"latest" schema:"portfolio" nullable:"true" about:"Published last, provisional or final; null: nothing yet"`
	Closes []json.RawMessage `json:"closes" schema:"portfolio" about:"Final figures of each closed day, in the order of time"`
}

func (a *api) answerPortfolio(ctx context.Context, _ arguments) (any, error) {
	f, err := a.views.Portfolio.Read(ctx)
	if err != nil {
		return nil, err
	}
	answer := portfolioAnswer{f.Latest, slices.Clone(f.Closes)}
	if answer.Closes == nil {
		answer.Closes = []json.RawMessage{}
	}
	return answer, nil
}

func (a *api) answerStatus(context.Context, arguments) (any, error) {
	return a.views.Status(), nil
}

func amount(p *lookup.Profile, minor output.Opt[int64]) *json.Number {
	if !minor.Known {
		return nil
	}
	return new(json.Number(p.Scores.CLV.Currency.Append(nil, minor.Value)))
}

func moment(ms int64) string { return string(timestamp.Append(nil, ms)) }

func momentIf(ms int64) *string {
	if ms == 0 {
		return nil
	}
	return new(moment(ms))
}

// matches reads If-None-Match as RFC 9110 says, by the weak comparison.
func matches(header, tag string) bool {
	for part := range strings.SplitSeq(header, ",") {
		if part = strings.TrimSpace(part); part == "*" || strings.TrimPrefix(part, "W/") == strings.TrimPrefix(tag, "W/") {
			return true
		}
	}
	return false
}
