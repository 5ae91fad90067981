package lookup

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"

	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/money"
)

// AlertQuery says which open alerts a tally holds; the zero value counts all and holds none.
type AlertQuery struct {
	Rule, Severity, Group string // empty: any
	Limit                 int    // the newest
}

// Tally counts customers by tier and by churn class, and open alerts by rule.
type Tally struct {
	AsOf  int64 // the least time of the ledger at which a customer was read, ms; 0: nothing is known yet
	Unit  money.Unit
	Tiers []Group // top_10, top_20, rest
	Risks []Group // low, medium, high, churned; prospects are in none
	Rules []RuleCount
	// Alerts are the newest open alerts that the query names, each with its customer's scores; Matching counts all that it names.
	Alerts   []ListedAlert
	Matching int64
}

// Group sums customers with a standing order. Amounts are minor units.
type Group struct {
	Name                   string
	Customers              int64
	TotalCLV, ValueAtStake int64
}

// RuleCount counts the open alerts of a rule.
type RuleCount struct {
	Rule, Severity string
	Open           int64
}

// ListedAlert is an open alert and its customer's figures.
type ListedAlert struct {
	Alert    processors.OpenAlert
	Customer Listed
}

// ReadTally reads all customers of a namespace and counts them. It is a scan: its cost grows with the number of customers, its memory with
// the limit and with the customers of one partition (some 16 bytes each).
func ReadTally(ctx context.Context, r *redis.Client, namespace string, g *ledger.Genesis, q AlertQuery) (*Tally, error) {
	return q.Tally(ctx, inRedis(r, namespace, g))
}

// Tally counts the customers of a walk.
func (q *AlertQuery) Tally(ctx context.Context, through Walk) (*Tally, error) {
	k := tally{query: *q, seen: map[uint64]struct{}{}, rules: map[string]*RuleCount{}, groups: map[string]*Group{}}
	asOf, err := through(ctx, nil, k.add)
	if err != nil {
		return nil, err
	}
	k.trim()
	t := &Tally{AsOf: asOf, Unit: k.unit, Alerts: k.alerts, Matching: k.matching}
	for _, name := range []string{"top_10", "top_20", "rest"} {
		t.Tiers = append(t.Tiers, k.sum("tier", name))
	}
	for _, name := range []string{"low", "medium", "high", "churned"} {
		t.Risks = append(t.Risks, k.sum("risk", name))
	}
	for _, c := range k.rules {
		t.Rules = append(t.Rules, *c)
	}
	slices.SortFunc(t.Rules, func(a, b RuleCount) int {
		return cmp.Or(cmp.Compare(b.Open, a.Open), strings.Compare(a.Rule, b.Rule))
	})
	return t, nil
}

type tally struct {
	query    AlertQuery
	number   int32
	seen     map[uint64]struct{} // customers of the partition under way: a walk may come to one twice
	unit     money.Unit
	groups   map[string]*Group
	rules    map[string]*RuleCount
	alerts   []ListedAlert
	matching int64
}

func (k *tally) add(p *processors.Partition, id string, c *customer.State) {
	l := NewListed(p, id, c)
	if n := l.Scores.CLV.ID.Partition; n != k.number {
		k.number = n
		clear(k.seen)
	}
	hash := xxhash.Sum64String(id)
	if _, again := k.seen[hash]; again {
		return
	}
	k.seen[hash] = struct{}{}
	k.unit = l.Scores.CLV.Currency
	if l.Scores.CLV.Orders > 0 {
		k.count("tier", l.Scores.CLV.ValueTier.Value, &l)
		k.count("risk", l.Scores.Churn.Risk, &l)
	}
	for _, a := range l.Alerts {
		if k.rules[a.Rule] == nil {
			k.rules[a.Rule] = &RuleCount{Rule: a.Rule, Severity: a.Severity}
		}
		k.rules[a.Rule].Open++
		if !k.query.names(&a) {
			continue
		}
		k.matching++
		if k.alerts = append(k.alerts, ListedAlert{a, l}); len(k.alerts) >= 2*k.query.Limit+1000 {
			k.trim()
		}
	}
}

func (q *AlertQuery) names(a *processors.OpenAlert) bool {
	return (q.Rule == "" || q.Rule == a.Rule) && (q.Severity == "" || q.Severity == a.Severity) && (q.Group == "" || q.Group == a.Group)
}

func (k *tally) count(kind, name string, l *Listed) {
	g := k.groups[kind+name]
	if g == nil {
		g = &Group{Name: name}
		k.groups[kind+name] = g
	}
	g.Customers++
	g.TotalCLV += l.Scores.CLV.Total.Value
	g.ValueAtStake += l.Scores.ValueAtStake().Value
}

func (k *tally) sum(kind, name string) Group {
	if g := k.groups[kind+name]; g != nil {
		return *g
	}
	return Group{Name: name}
}

// trim keeps the newest alerts, the newest first.
func (k *tally) trim() {
	slices.SortFunc(k.alerts, func(a, b ListedAlert) int {
		return cmp.Or(cmp.Compare(b.Alert.RaisedAt, a.Alert.RaisedAt), strings.Compare(a.Alert.Customer, b.Alert.Customer), strings.Compare(a.Alert.Rule, b.Alert.Rule))
	})
	k.alerts = k.alerts[:min(len(k.alerts), k.query.Limit)]
}
