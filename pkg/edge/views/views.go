// Package views owns what the API and the pages read: customers, lists of them, segments, open alerts, what happened month by month, the
// portfolio, and the status of the process. It answers lists from a Source, which reads all customers, and keeps what was read for some seconds.
//
// It refuses to change anything, to format anything for a reader, and to be waited for: intake and fold do not know of it, and at most one
// read of all customers is under way in a process.
package views

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/pkg/stream/callmark"
	"github.com/mainstay/mainstay/pkg/stream/export"
	"github.com/mainstay/mainstay/pkg/stream/lookup"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// Source reads customers. The one that there is reads the state in Redis, lists by a scan; an index can take its place.
type Source interface {
	// Profile reads one customer. The error may be lookup.ErrUnknownCustomer or lookup.ErrNoState.
	Profile(ctx context.Context, id string) (*lookup.Profile, error)
	// List lists customers; the limit is never 0.
	List(ctx context.Context, q lookup.ListQuery) (*lookup.Listing, error)
	// Tally counts customers and open alerts.
	Tally(ctx context.Context, q lookup.AlertQuery) (*lookup.Tally, error)
	// Segments sums customers by each of some dimensions, in their order.
	Segments(ctx context.Context, by []lookup.Dimension) ([]*lookup.Segments, error)
	// Calendar reads what all customers did month by month. The error may be lookup.ErrNoState.
	Calendar(ctx context.Context) (*lookup.Calendar, error)
	// Returns reads what all customers bought and what was spent on them. The error may be lookup.ErrNoState.
	Returns(ctx context.Context) (*lookup.Returns, error)
	// Model reads what customers are scored with, and how forecasts came out. The error may be lookup.ErrNoState.
	Model(ctx context.Context) (*lookup.Model, error)
	// Source reads what exports have.
	export.Source
}

// NewState returns the Source that reads the state in Redis, and for exports of who has changed the output topics.
func NewState(k *kafka.Client, r *redis.Client, namespace string, g *ledger.Genesis, now func() time.Time) Source {
	return state{r, namespace, g, &export.FromServers{Kafka: k, Redis: r, Namespace: namespace, Genesis: g, Now: now}}
}

type state struct {
	redis     *redis.Client
	namespace string
	genesis   *ledger.Genesis
	export.Source
}

func (s state) Profile(ctx context.Context, id string) (*lookup.Profile, error) {
	return lookup.ReadProfile(ctx, s.redis, s.namespace, s.genesis, id)
}

func (s state) List(ctx context.Context, q lookup.ListQuery) (*lookup.Listing, error) {
	return lookup.List(ctx, s.redis, s.namespace, s.genesis, q)
}

func (s state) Tally(ctx context.Context, q lookup.AlertQuery) (*lookup.Tally, error) {
	return lookup.ReadTally(ctx, s.redis, s.namespace, s.genesis, q)
}

func (s state) Segments(ctx context.Context, by []lookup.Dimension) ([]*lookup.Segments, error) {
	return lookup.ReadSegments(ctx, s.redis, s.namespace, s.genesis, by, nil)
}

func (s state) Calendar(ctx context.Context) (*lookup.Calendar, error) {
	return lookup.ReadCalendar(ctx, s.redis, s.namespace, s.genesis)
}

func (s state) Returns(ctx context.Context) (*lookup.Returns, error) {
	return lookup.ReadReturns(ctx, s.redis, s.namespace, s.genesis, nil)
}

func (s state) Model(ctx context.Context) (*lookup.Model, error) {
	return lookup.ReadModel(ctx, s.redis, s.namespace, s.genesis)
}

// Config parameterises New.
type Config struct {
	Source    Source
	Portfolio *Portfolio
	Alerts    *Feed
	Status    func() Status
	Now       func() time.Time
	Genesis   *ledger.Genesis
	DoneFor   time.Duration // today.done_days

	Attributes   []string            // names of those by which customers are summed, and that lists have, too
	NPSBenchmark output.Opt[float64] // surveys.nps_benchmark
}

// Views answers what API and pages ask. It may be used concurrently.
type Views struct {
	Config
	lists     kept[list]
	tallies   kept[*lookup.Tally]
	segments  kept[[]*lookup.Segments]
	returns   kept[*lookup.Returns]
	calendars kept[*lookup.Calendar]
	models    kept[*lookup.Model]
	scanning  chan struct{} // holds a token while all customers are read, for whatever answer
	exporting chan struct{} // holds a token while an export is written
}

// New returns views.
func New(c Config) *Views {
	scanning := make(chan struct{}, 1)
	return &Views{
		Config: c, scanning: scanning, exporting: make(chan struct{}, 1), lists: newKept[list](c.Now, scanning), tallies: newKept[*lookup.Tally](c.Now, scanning),
		segments: newKept[[]*lookup.Segments](c.Now, scanning), returns: newKept[*lookup.Returns](c.Now, scanning),
		// These read no customer, so they wait for no read of all of them.
		calendars: newKept[*lookup.Calendar](c.Now, make(chan struct{}, 1)), models: newKept[*lookup.Model](c.Now, make(chan struct{}, 1)),
	}
}

// Profile reads one customer, at the moment of the call.
func (v *Views) Profile(ctx context.Context, id string) (*lookup.Profile, error) {
	return v.Source.Profile(ctx, id)
}

// MostRows is the greatest number of rows in one answer.
const MostRows = 500

// Query is a query of customers in the form in which it is asked.
type Query struct {
	Sort      string // the name of a column
	Ascending bool
	Where     string // conditions as lookup.ParseConditions reads them
	After     *lookup.Position
	Limit     int            // 1 to MostRows
	Hide      *lookup.Hiding // as of lookup.ListQuery
}

// list is a listing with the query that it answers.
type list struct {
	query lookup.ListQuery
	*lookup.Listing
}

// List lists customers. The errors of a query that cannot be parsed are *QueryError.
func (v *Views) List(ctx context.Context, q Query) (*lookup.Listing, error) {
	parsed, err := q.parse(v.Attributes)
	if err != nil {
		return nil, err
	}
	key := q.Key() + "\x00"
	if q.Hide != nil {
		key += q.Hide.Done.String() + "\x00"
	}
	if q.After != nil {
		if l := v.follows(key, parsed, q.Limit); l != nil {
			return l, nil
		}
		key += fmt.Sprintf("%x %s", q.After.Rank, q.After.Customer)
	}
	all, err := v.lists.get(ctx, key, func(ctx context.Context) (list, error) {
		l, err := v.Source.List(ctx, parsed)
		return list{parsed, l}, err
	})
	if err != nil {
		return nil, err
	}
	return first(all.Listing, 0, q.Limit), nil
}

// first returns a part of a listing.
func first(l *lookup.Listing, from, limit int) *lookup.Listing {
	rows := l.Rows[from:]
	if len(rows) <= limit {
		return &lookup.Listing{AsOf: l.AsOf, Rows: rows, More: l.More, Hidden: l.Hidden}
	}
	return &lookup.Listing{AsOf: l.AsOf, Rows: rows[:limit], More: true, Hidden: l.Hidden}
}

// follows returns the next page out of a listing that is kept, so that the pages of one query take one read of all customers for every
// MostRows of them; nil if no listing has the row before the page, and a whole page after it.
func (v *Views) follows(prefix string, q lookup.ListQuery, limit int) (page *lookup.Listing) {
	v.lists.each(func(key string, l list) {
		if page != nil || !strings.HasPrefix(key, prefix) {
			return
		}
		at := slices.IndexFunc(l.Rows, func(row lookup.Listed) bool { return q.Position(&row) == *q.After })
		if at >= 0 && (len(l.Rows)-at-1 >= limit || !l.More) {
			page = first(l.Listing, at+1, limit)
		}
	})
	return page
}

// Key identifies what is listed and in which order, without the place in it.
func (q *Query) Key() string {
	return strings.Join([]string{q.Sort, fmt.Sprint(q.Ascending), q.Where}, "\x00")
}

// QueryError says which parameter of a query is wrong.
type QueryError struct {
	Parameter string // sort, where or by
	Err       error
}

func (e *QueryError) Error() string { return e.Parameter + ": " + e.Err.Error() }

func (e *QueryError) Unwrap() error { return e.Err }

// parse returns the query for a Source. It always asks for MostRows, so that one read serves all limits.
func (q *Query) parse(attributes []string) (l lookup.ListQuery, err error) {
	l.Ascending, l.After, l.Limit, l.Hide = q.Ascending, q.After, MostRows, q.Hide
	if l.Sort, err = lookup.ColumnNamed(q.Sort, attributes); err != nil {
		return l, &QueryError{"sort", err}
	}
	if !l.Sort.Sortable() {
		return l, &QueryError{"sort", fmt.Errorf("%s has no order", q.Sort)}
	}
	if l.Where, err = lookup.ParseConditions(q.Where, attributes); err != nil {
		return l, &QueryError{"where", err}
	}
	return l, nil
}

// PositionOf returns the place of a row in the order of a query, from which another page continues.
func (v *Views) PositionOf(q *Query, row *lookup.Listed) (lookup.Position, error) {
	l, err := q.parse(v.Attributes)
	if err != nil {
		return lookup.Position{}, err
	}
	return l.Position(row), nil
}

// CallList lists the customers to call today, of whom a day has room for so many: without those whom somebody has marked, or with marked also
// these.
func (v *Views) CallList(ctx context.Context, capacity int, marked bool) (*lookup.Listing, error) {
	q := Query{Sort: lookup.CallSort, Where: lookup.CallWhere, Limit: capacity}
	if !marked {
		q.Hide = &lookup.Hiding{Done: v.DoneFor}
	}
	return v.List(ctx, q)
}

// Refresh reads a customer whose state has just changed at the request of a person, so that the lists that are kept show the change at once. To
// read all customers again for it was rejected: who works off a list would wait for that with each customer.
func (v *Views) Refresh(ctx context.Context, id string) error {
	p, err := v.Source.Profile(ctx, id)
	if err != nil {
		return err
	}
	v.lists.change(func(l list) list { return list{l.query, l.query.Replace(l.Listing, p.Listed)} })
	return nil
}

// Marking returns mark, after which the lists that are kept show what it has marked.
func (v *Views) Marking(mark callmark.Mark) callmark.Mark {
	return func(ctx context.Context, id string, s callmark.Statement) (callmark.Entered, error) {
		e, err := mark(ctx, id, s)
		if err == nil && e.Folded {
			e.Folded = v.Refresh(ctx, e.Customer) == nil
		}
		return e, err
	}
}

// Tally counts customers and open alerts.
func (v *Views) Tally(ctx context.Context, q lookup.AlertQuery) (*lookup.Tally, error) {
	limit := q.Limit
	q.Limit = MostRows
	key := q.Rule + "\x00" + q.Severity + "\x00" + q.Group
	all, err := v.tallies.get(ctx, key, func(ctx context.Context) (*lookup.Tally, error) { return v.Source.Tally(ctx, q) })
	if err != nil {
		return nil, err
	}
	t := *all
	t.Alerts = t.Alerts[:min(limit, len(t.Alerts))]
	return &t, nil
}

// Columns are those that lists have.
func (v *Views) Columns() []lookup.Column { return lookup.Columns(v.Attributes) }

// Dimensions are those by which customers are summed.
func (v *Views) Dimensions() []lookup.Dimension { return lookup.Dimensions(v.Attributes) }

// Segments sums customers by a dimension. One read of all customers serves all dimensions that are not ranked. An error of a dimension that there is not is a
// *QueryError.
func (v *Views) Segments(ctx context.Context, dimension string) (*lookup.Segments, error) {
	by, err := lookup.DimensionNamed(dimension, v.Attributes)
	if err != nil {
		return nil, &QueryError{"by", err}
	}
	together := slices.DeleteFunc(v.Dimensions(), func(d lookup.Dimension) bool { return d.Ranked != by.Ranked })
	all, err := v.segments.get(ctx, strconv.FormatBool(by.Ranked), func(ctx context.Context) ([]*lookup.Segments, error) {
		return v.Source.Segments(ctx, together)
	})
	if err != nil {
		return nil, err
	}
	for _, s := range all {
		if s.By.Name == by.Name {
			shown := *s
			shown.NPSBenchmark = v.NPSBenchmark
			return &shown, nil
		}
	}
	return nil, fmt.Errorf("the segments by %s were not read", by.Name)
}

// Calendar reads what all customers did month by month. Its tables are shared: nobody changes them.
func (v *Views) Calendar(ctx context.Context) (*lookup.Calendar, error) {
	return v.calendars.get(ctx, "", v.Source.Calendar)
}

// Returns reads what all customers bought and what was spent on them. It is shared: nobody changes it.
func (v *Views) Returns(ctx context.Context) (*lookup.Returns, error) {
	return v.returns.get(ctx, "", v.Source.Returns)
}

// Model reads what customers are scored with, and how forecasts came out.
func (v *Views) Model(ctx context.Context) (*lookup.Model, error) {
	return v.models.get(ctx, "", v.Source.Model)
}
