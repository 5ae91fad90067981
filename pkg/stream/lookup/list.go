package lookup

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// ListQuery says which customers are listed, and in which order.
type ListQuery struct {
	Where     []Condition // that must all hold
	Sort      Column      // must have an order; customers whose figure is not known are not listed
	Ascending bool        // the smallest figure first; otherwise the greatest
	After     *Position   // list only what follows; nil: from the first
	Limit     int         // 0: all
	Hide      *Hiding     // leave out customers whom somebody has marked; nil: nobody is left out
	Progress  func(read int64)
}

// Position is the place of a customer in the order of a query.
type Position struct {
	Rank     float64 // the figure by which the list is sorted: units of the currency, ms, or a number
	Customer string  // among equals the ids decide
}

// Listing is a list of customers.
type Listing struct {
	AsOf int64 // the least time of the ledger at which a customer was read, ms; 0: nothing is known yet
	Rows []Listed
	More bool // others follow the last row

	Hidden map[string]struct{} // customers whom the query names, and who are left out since somebody has marked them
}

// The order and the conditions of CallList.
const (
	CallSort  = "value_at_stake"
	CallWhere = "churn_risk=medium|high,in_control=false"
)

// Hiding says how long marks leave customers out of the list of calls.
type Hiding struct {
	Done time.Duration // after somebody has acted
}

// Hides reports whether a customer is left out. A snooze ends with its time: until then nobody wants to see the customer, whatever happens. Who is
// done comes back after a while, or at once with an alert that was raised after the mark, since whoever acted did not know of it.
func (h *Hiding) Hides(l *Listed) bool {
	mark := l.Scores.Mark
	switch {
	case mark == nil:
		return false
	case mark.IsSnoozed():
		//mutant:snooze-for-ever replace return true
		return l.Scores.AsOf < mark.Until
	default:
		//mutant:alert-after-mark-hidden replace return l.Scores.AsOf < mark.At+h.Done.Milliseconds()
		return !l.Scores.AlertedSinceMark && l.Scores.AsOf < mark.At+h.Done.Milliseconds()
	}
}

// CallList is the query of the customers to call today: those whose risk is medium or high, the greatest value at stake first.
// value_at_stake is small for whom an action can no longer reach, since predicted CLV falls with the probability that the customer is
// still active. Who is in control of an open alert is left out: a call would make them a treated customer, and the comparison of the two
// groups wrong. hide is nil to list also whom somebody has marked.
func CallList(limit int, hide *Hiding) (q ListQuery, err error) {
	q.Limit, q.Hide = limit, hide
	if q.Sort, err = ColumnNamed(CallSort, nil); err != nil {
		return q, err
	}
	q.Where, err = ParseConditions(CallWhere, nil)
	return q, err
}

// List reads all customers of a namespace and returns those that the query names, in its order and then in that of their ids. It is a scan:
// its cost grows with the number of customers, its memory with the limit. Beside a running fold each customer is as of the moment at which
// it was read.
func List(ctx context.Context, r *redis.Client, namespace string, g *ledger.Genesis, q ListQuery) (*Listing, error) {
	return q.List(ctx, inRedis(r, namespace, g))
}

// List lists the customers of a walk.
func (q *ListQuery) List(ctx context.Context, through Walk) (*Listing, error) {
	if q.Sort.rank == nil {
		return nil, fmt.Errorf("%s has no order to sort by", q.Sort.Name)
	}
	kept := &listing{query: *q, rows: map[string]Listed{}, hidden: map[string]struct{}{}}
	asOf, err := through(ctx, q.Progress, func(p *processors.Partition, id string, c *customer.State) {
		kept.consider(NewListed(p, id, c))
	})
	if err != nil {
		return nil, err
	}
	return kept.listing(asOf), nil
}

// Replace returns a listing of the query with a customer as they are now, and all others as they were.
func (q *ListQuery) Replace(of *Listing, now Listed) *Listing {
	kept := &listing{query: *q, rows: map[string]Listed{}, hidden: maps.Clone(of.Hidden), more: of.More}
	for _, l := range of.Rows {
		kept.rows[l.Scores.Customer] = l
	}
	if of.More && len(of.Rows) > 0 {
		kept.last = new(q.Position(&of.Rows[len(of.Rows)-1]))
	}
	kept.consider(now)
	return kept.listing(of.AsOf)
}

// listing holds the best rows so far, by customer: a walk may come to a customer twice, the newer state later.
type listing struct {
	query  ListQuery
	rows   map[string]Listed
	hidden map[string]struct{} // customers
	more   bool                // rows were left out
	last   *Position           // the worst row that was kept when rows were left out last; what follows it is not listed
}

func (k *listing) consider(l Listed) {
	delete(k.rows, l.Scores.Customer)
	delete(k.hidden, l.Scores.Customer)
	if _, known := k.query.Sort.rank(&l); !known {
		return
	}
	if !AllAccept(k.query.Where, &l) {
		return
	}
	if h := k.query.Hide; h != nil && h.Hides(&l) {
		k.hidden[l.Scores.Customer] = struct{}{}
		return
	}
	at := k.query.Position(&l)
	if after := k.query.After; after != nil && k.query.compare(at, *after) <= 0 {
		return
	}
	if k.last != nil && k.query.compare(at, *k.last) > 0 {
		return
	}
	k.rows[l.Scores.Customer] = l
	const slack = 1000 // so that rows are rarely sorted
	if k.query.Limit > 0 && len(k.rows) >= 2*k.query.Limit+slack {
		k.more = true
		all := k.sorted()
		k.last = new(k.query.Position(&all[k.query.Limit-1]))
		for _, worse := range all[k.query.Limit:] {
			delete(k.rows, worse.Scores.Customer)
		}
	}
}

func (k *listing) listing(asOf int64) *Listing {
	l := &Listing{AsOf: asOf, Rows: k.sorted(), More: k.more, Hidden: k.hidden}
	if most := k.query.Limit; most > 0 && len(l.Rows) > most {
		l.Rows, l.More = l.Rows[:most:most], true
	}
	return l
}

// Position returns the place of a customer in the order of the query.
func (q *ListQuery) Position(l *Listed) Position {
	rank, _ := q.Sort.rank(l)
	return Position{rank, l.Scores.Customer}
}

func (q *ListQuery) compare(a, b Position) int {
	x, y := a.Rank, b.Rank
	if !q.Ascending {
		x, y = y, x
	}
	return cmp.Or(cmp.Compare(x, y), strings.Compare(a.Customer, b.Customer))
}

// sorted returns the rows in order.
func (k *listing) sorted() []Listed {
	all := make([]Listed, 0, len(k.rows))
	for _, l := range k.rows {
		all = append(all, l)
	}
	slices.SortFunc(all, func(a, b Listed) int { return k.query.compare(k.query.Position(&a), k.query.Position(&b)) })
	return all
}
