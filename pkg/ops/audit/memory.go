package audit

import (
	"cmp"
	"container/heap"
	"slices"

	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// Memory is a partition's customers in memory, as processors.Store wants them. It is exact and unbounded: for audits,
// backtests and fixtures, where the whole ledger is folded once.
type Memory struct {
	customers map[string]*customer.State
	deadlines map[string]int64
	queue     queue
	classes   [][]string // of the ids, by so many classes as were last asked for
}

// NewMemory is empty.
func NewMemory() *Memory {
	return &Memory{customers: map[string]*customer.State{}, deadlines: map[string]int64{}}
}

// Len is how many customers there are.
func (m *Memory) Len() int { return len(m.customers) }

// Each calls fn for every customer, in no order.
func (m *Memory) Each(fn func(id string, s *customer.State)) {
	for id, s := range m.customers {
		fn(id, s)
	}
}

// Customer is processors.Store's; it never fails.
func (m *Memory) Customer(id string) (*customer.State, error) { return m.customers[id], nil }

// Put is processors.Store's.
func (m *Memory) Put(id string, s *customer.State) {
	if n := len(m.classes); n > 0 && m.customers[id] == nil {
		m.classify(id)
	}
	m.customers[id] = s
	at, ok := s.Deadline()
	if !ok {
		delete(m.deadlines, id)
		return
	}
	if was, had := m.deadlines[id]; had && was == at {
		return
	}
	m.deadlines[id] = at
	heap.Push(&m.queue, wake{at, id})
}

// Due is processors.Store's; it never fails.
func (m *Memory) Due(now int64, limit int) ([]string, error) {
	var due []wake
	for len(due) < limit && len(m.queue) > 0 && m.queue[0].at <= now {
		w := heap.Pop(&m.queue).(wake) //nolint:forcetypeassert // the queue holds nothing else
		if at, ok := m.deadlines[w.id]; !ok || at != w.at || (len(due) > 0 && due[len(due)-1] == w) {
			continue // it has moved since, or stands here twice
		}
		due = append(due, w)
	}
	ids := make([]string, len(due))
	for i, w := range due {
		ids[i] = w.id
		heap.Push(&m.queue, w) // it is due until the step has moved it
	}
	return ids, nil
}

// Class is processors.Store's; it never fails.
func (m *Memory) Class(class, classes uint32) ([]string, error) {
	if len(m.classes) != int(classes) {
		m.classes = make([][]string, classes)
		for id := range m.customers {
			m.classify(id)
		}
	}
	ids := m.classes[class]
	slices.Sort(ids)
	return slices.Clone(ids), nil
}

func (m *Memory) classify(id string) {
	c := ledger.Class(id, uint32(len(m.classes))) //nolint:gosec // as it was asked for
	m.classes[c] = append(m.classes[c], id)
}

type wake struct {
	at int64
	id string
}

// queue orders by deadline, then id. Entries that have moved stay until they come up.
type queue []wake

func (q queue) Len() int { return len(q) }

func (q queue) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(q[i].at, q[j].at), cmp.Compare(q[i].id, q[j].id)) < 0
}

func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

func (q *queue) Push(x any) { *q = append(*q, x.(wake)) } //nolint:forcetypeassert // heap.Interface

func (q *queue) Pop() any {
	last := len(*q) - 1
	w := (*q)[last]
	*q = (*q)[:last]
	return w
}
