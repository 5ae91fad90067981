package api

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/mainstay/mainstay/pkg/edge/views"
	"github.com/mainstay/mainstay/pkg/node/server"
	"github.com/mainstay/mainstay/pkg/stream/export"
	"github.com/mainstay/mainstay/pkg/stream/lookup"
	"github.com/mainstay/mainstay/pkg/stream/report"
	"github.com/mainstay/mainstay/processors/calendar"
)

const documentPath = "/v1/openapi.json"

// route is one path of the API.
type route struct {
	path       string
	name       string // unique; OpenAPI's operationId
	summary    string
	about      string
	scope      server.Scope
	writes     bool // requested by POST, and never for a web page of another host; otherwise by GET
	parameters []parameter
	response   any    // a value of the type of the answer
	problems   []kind // besides those of parameters and of servers that do not answer
	answer     func(*api, context.Context, arguments) (any, error)
}

// parameter is one parameter of a route.
type parameter struct {
	name      string
	about     string
	inPath    bool
	inBody    bool // a field of the JSON object that is sent; all are texts
	required  bool
	whole     bool // a whole number, from least to most
	month     bool // YYYY-MM
	boolean   bool
	least     int
	most      int      // of a whole number; bytes of a field of the body
	standard  string   // the value that stands for an absent one
	oneOf     []string // the only values, if any
	attribute bool     // or the name of an attribute, which views know
	example   string
}

func (r *route) method() string {
	if r.writes {
		return http.MethodPost
	}
	return http.MethodGet
}

// routes is the table of all routes.
func routes() []route {
	limit := parameter{name: "limit", about: "Rows of one answer.", whole: true, least: 1, most: views.MostRows, standard: "50"}
	length := parameter{name: "by", about: "The length of a period.", standard: report.Month, oneOf: []string{report.Month, report.Quarter}}
	months := []parameter{
		{name: "from", about: "The first month, or the first cohort; by default that of the first purchase.", month: true, example: "2026-01"},
		{name: "to", about: "The last month; by default the last that is over.", month: true, example: "2026-09"},
		{name: "current", about: "Include the month that is not over, as it stands; not together with `to`.", boolean: true, standard: "false"},
	}
	id := parameter{name: "id", about: "The customer's id, percent-encoded.", inPath: true, example: "c-1"}
	return append([]route{
		{
			path: "/v1/customers/{id}", name: "getCustomer", scope: server.ScopeCustomers, response: customerAnswer{}, problems: []kind{unknownCustomer, noStateYet},
			summary: "A customer's scores and open alerts",
			about: "The scores as of the ledger's time, with the fields of the outputs, as `mainstay customer get` prints them. The ETag is weak: it changes whenever an " +
				"output of the customer is published or they engage, and not with what moves by less than is material, such as the days since the last order.",
			parameters: []parameter{id}, answer: (*api).answerCustomer,
		},
		{
			path: "/v1/customers/{id}/explanation", name: "explainCustomer", scope: server.ScopeCustomers, response: explanation{}, problems: []kind{unknownCustomer, noStateYet},
			summary:    "What a customer's scores are computed from",
			about:      "Purchase days, the statistics that the models use, survey responses and the terms in force, as `mainstay customer explain` prints them.",
			parameters: []parameter{id}, answer: (*api).answerExplanation,
		},
		{
			path: "/v1/customers/{id}/path", name: "getCustomerPath", scope: server.ScopeCustomers, response: pathAnswer{}, problems: []kind{unknownCustomer, noStateYet},
			summary: "A customer's scores over time",
			about: "What the terms in force today say of the customer as of at most 320 times since their first order, and of silence in the near future. It is " +
				"not what was published then: models and thresholds have changed since, and events have arrived late.",
			parameters: []parameter{id}, answer: (*api).answerPath,
		},
		markRoute(id),
		{
			path: "/v1/customers", name: "listCustomers", scope: server.ScopeCustomers, response: listAnswer{}, problems: []kind{unknownColumn, badCondition, badCursor, cursorOfAnother},
			summary: "Customers by any figure",
			about:   "The same lists as `mainstay customer list`. Customers whose figure is not known are not listed.",
			parameters: []parameter{
				{name: "sort", about: "The column to sort by.", standard: lookup.CallSort, oneOf: sortable()},
				{name: "ascending", about: "The smallest figure first.", boolean: true, standard: "false"},
				{name: "where", about: whereAbout, example: "value_tier=top_10,nps_category=detractor"},
				limit,
				{name: "cursor", about: "`next_cursor` of the page before, with the same sort, ascending and where. A page continues after its last customer, whoever has changed since."},
			},
			answer: (*api).answerList,
		},
		{
			path: "/v1/export", name: "exportCustomers", scope: server.ScopeCustomers, response: exportAnswer{},
			problems: []kind{unknownColumn, badCondition, outputsDeleted, noStateYet},
			summary:  "All customers, each ledger partition as of one offset",
			about: "The same bytes as `mainstay export customers`, written while they are read, and compressed for clients that accept gzip. The manifest, by which `mainstay " +
				"export verify` proves the rows, follows as the trailer " + manifestTrailer + ". A connection that breaks has no trailer: drop what came.",
			parameters: []parameter{
				{name: "format", about: "The form of the rows.", standard: "csv", oneOf: export.FormatNames()},
				{name: "columns", about: "The columns, separated by commas, besides customer_id; by default all.", example: "total_clv,churn_risk"},
				{name: "where", about: whereAbout, example: "value_tier=top_10"},
				{name: "since", about: "The `offsets` of a former export's manifest, separated by commas: only customers of whom an answer or an alert was published since then.", example: "1200,1180"},
			},
			answer: (*api).answerExport,
		},
		{
			path: "/v1/today", name: "getToday", scope: server.ScopeCustomers, response: todayAnswer{},
			summary: "The customers to call today, and why",
			about:   "Customers whose churn risk is medium or high, the greatest value at stake first, as `mainstay today` lists them. Who is in control of an open alert is left out, and who is marked as done or snoozed (docs/pages.md).",
			parameters: []parameter{
				{name: "capacity", about: "The calls that a day has room for.", whole: true, least: 1, most: views.MostRows, standard: "20"},
				{name: "all", about: "Also customers whom somebody has marked.", boolean: true, standard: "false"},
			},
			answer: (*api).answerToday,
		},
		{
			path: "/v1/alerts", name: "listOpenAlerts", scope: server.ScopeCustomers, response: alertsAnswer{},
			summary: "Open alerts, the newest first",
			about:   "The episodes whose alerts were published and not cleared, each with the figures of its customer.",
			parameters: []parameter{
				{name: "rule", about: "Only of this rule."},
				{name: "severity", about: "Only of this severity.", oneOf: []string{"info", "warning", "critical"}},
				{name: "group", about: "Only of this group: treated, or control, on whose alerts nobody is to act.", oneOf: []string{"treated", "control"}},
				limit,
			},
			answer: (*api).answerAlerts,
		},
		{
			path: "/v1/retention", name: "getRetention", scope: server.ScopeCustomers, response: periodAnswer(calendar.Retention()), problems: []kind{noStateYet},
			summary:    "Customers who came, stayed, returned and were lost, by month or quarter",
			about:      "The same figures as `mainstay report retention`. " + monthsAbout,
			parameters: append([]parameter{length}, months...), answer: (*api).answerRetention,
		},
		{
			path: "/v1/revenue", name: "getRevenue", scope: server.ScopeCustomers, response: periodAnswer(calendar.Sales()), problems: []kind{noStateYet},
			summary:    "Revenue from new, repeat and reactivated customers, by month or quarter",
			about:      "The same figures as `mainstay report revenue`. " + monthsAbout,
			parameters: append([]parameter{length}, months...), answer: (*api).answerRevenue,
		},
		{
			path: "/v1/cohorts", name: "getCohorts", scope: server.ScopeCustomers, response: reportAnswer{columns: report.CohortColumns(), keys: []string{"cohort"}}, problems: []kind{noStateYet},
			summary:    "Customers by the month of their first purchase, and what they did in each month since",
			about:      "The same figures as `mainstay report cohorts`. " + monthsAbout,
			parameters: months, answer: (*api).answerCohorts,
		},
		{
			path: "/v1/returns", name: "getReturns", scope: server.ScopeCustomers, response: returnsAnswer(), problems: []kind{noStateYet},
			summary:    "What new customers cost and are worth, and what keeping customers brings",
			about:      "The same figures as `mainstay report returns`, from the costs that were stated with `mainstay costs set`; null where they were not. " + returnsAbout,
			parameters: append([]parameter{{name: "by", about: "The length of a period.", standard: report.Month, oneOf: periods()}}, months...),
			answer:     (*api).answerReturns,
		},
		{
			path: "/v1/acquisition", name: "getAcquisition", scope: server.ScopeCustomers, problems: []kind{noStateYet},
			response:   reportAnswer{columns: report.ReturnColumns(report.Source), keys: []string{report.Month}},
			summary:    "What new customers of each month and source cost and are worth",
			about:      "The same figures as `mainstay report returns --by source`. " + returnsAbout,
			parameters: months, answer: (*api).answerAcquisition,
		},
		{
			path: "/v1/model", name: "getModel", scope: server.ScopeCustomers, response: modelAnswer{}, problems: []kind{noStateYet},
			summary: "What customers are scored with, and how forecasts came out",
			about:   "The terms in force for all customers, and the calibration: for one customer in eight, forecasts of an order within the purchase horizon, against what happened.",
			answer:  (*api).answerModel,
		},
		{
			path: "/v1/portfolio", name: "getPortfolio", scope: server.ScopeCustomers, response: portfolioAnswer{},
			summary: "All customers together",
			about:   "The figures that were published last, and those of each closed day that the output topic still holds.",
			answer:  (*api).answerPortfolio,
		},
		{
			path: "/v1/status", name: "getStatus", scope: server.ScopeStatus, response: views.Status{},
			summary: "What this process works on",
			about:   "Its partitions, positions and problems; the same as /status.",
			answer:  (*api).answerStatus,
		},
	}, segmentRoutes()...)
}

const whereAbout = "Conditions that must all hold, separated by commas: COLUMN=TEXT (several texts with |), and for numbers, amounts and times COLUMN>=VALUE and COLUMN<=VALUE."

const monthsAbout = "Refunds, cancellations and late events change the months that they concern, whenever they arrive."

const returnsAbout = "All customers are read for it, as for lists. " + monthsAbout

// periods are the lengths of the periods of returns.
func periods() []string { return report.ReturnsBy()[:3] }

func dimensions() (names []string) {
	for _, d := range lookup.Dimensions(nil) {
		names = append(names, d.Name)
	}
	return names
}

func sortable() (names []string) {
	for _, c := range lookup.Columns(nil) {
		if c.Sortable() {
			names = append(names, c.Name)
		}
	}
	return names
}

// arguments are the values of a request's parameters, each checked by its declaration.
type arguments map[string]string

func (a arguments) whole(name string) int {
	n, _ := strconv.Atoi(a[name]) // it was checked
	return n
}

// arguments reads the parameters of a request. What the route does not declare is refused: a misspelt filter would otherwise list everybody.
func (r *route) arguments(request *http.Request) (arguments, error) {
	query, err := url.ParseQuery(request.URL.RawQuery)
	if err != nil {
		return nil, refused(badParameter, "the query string cannot be decoded: "+err.Error())
	}
	all, names := arguments{}, []string{}
	for _, p := range r.parameters {
		if p.inPath {
			all[p.name] = request.PathValue(p.name)
		}
		if p.inPath || p.inBody {
			continue
		}
		names = append(names, p.name)
		switch given := query[p.name]; len(given) {
		case 0:
			all[p.name] = p.standard
		case 1:
			if err := p.check(given[0]); err != nil {
				return nil, err
			}
			all[p.name] = given[0]
		default:
			return nil, refused(repeatedParameter, p.name+" is given more than once")
		}
	}
	for name := range query {
		if !slices.Contains(names, name) {
			return nil, refused(unknownParameter, fmt.Sprintf("%.40q is no parameter of %s, which has %s", name, r.path, orNone(names)))
		}
	}
	return all, nil
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

func (p *parameter) check(value string) error {
	switch {
	case p.whole:
		if n, err := strconv.Atoi(value); err != nil || n < p.least || n > p.most {
			return refused(badParameter, fmt.Sprintf("%s must be a whole number from %d to %d", p.name, p.least, p.most))
		}
	case p.month:
		if _, err := calendar.ParseMonth(value); err != nil {
			return refused(badParameter, p.name+" must be a month: YYYY-MM, such as 2026-10")
		}
	case p.boolean:
		if value != "true" && value != "false" {
			return refused(badParameter, p.name+" must be true or false")
		}
	case len(p.oneOf) > 0 && !p.attribute && !slices.Contains(p.oneOf, value):
		k := badParameter
		if p.name == "sort" {
			k = unknownColumn
		}
		return refused(k, fmt.Sprintf("%s must be one of %s", p.name, strings.Join(p.oneOf, ", ")))
	}
	return nil
}

// cursor is the place at which a list continues. It is opaque to clients, and no secret: it holds nothing that the page before did not.
type cursor struct {
	Query    uint32  `json:"q"` // hash of the query
	Rank     float64 `json:"r"`
	Customer string  `json:"c"`
}

func writeCursor(q *views.Query, at lookup.Position) string {
	text, err := json.Marshal(cursor{queryHash(q), at.Rank, at.Customer})
	if err != nil { // a number that is known is finite
		panic(err)
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

func readCursor(q *views.Query, text string) (*lookup.Position, error) {
	decoded, err := base64.RawURLEncoding.DecodeString(text)
	var c cursor
	if err == nil {
		err = json.Unmarshal(decoded, &c)
	}
	if err != nil {
		return nil, refused(badCursor, "take next_cursor of the page before, unchanged")
	}
	//mutant:cursor-of-any-query if false && $
	if c.Query != queryHash(q) {
		return nil, refused(cursorOfAnother, "a cursor continues the query that it came from: repeat its sort, ascending and where, or leave the cursor out")
	}
	return &lookup.Position{Rank: c.Rank, Customer: c.Customer}, nil
}

func queryHash(q *views.Query) uint32 { return crc32.ChecksumIEEE([]byte(q.Key())) }
