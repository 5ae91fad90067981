// Package memstore owns a processors.Store in memory, for audits, rule tests and fixtures, which fold a whole ledger once.
//
// It refuses bounds and persistence: every customer stays in memory, and nothing outlives the process.
package memstore

import (
	"cmp"
	"container/heap"
	"slices"

	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// MemStore implements processors.Store. It is exact and unbounded, and not safe for use by several goroutines.
type MemStore struct {
	customers map[string]*customer.State
	deadlines map[string]int64
	queue     deadlineQueue // holds every current deadline, and former ones until they reach its head
	classes   [][]string    // ids by class, for the number of classes that Class was last called with
}

// New returns an empty store.
func New() *MemStore {
	return &MemStore{customers: map[string]*customer.State{}, deadlines: map[string]int64{}}
}

// Len returns the number of customers.
func (m *MemStore) Len() int { return len(m.customers) }

// Each calls fn for every customer, in no order.
func (m *MemStore) Each(fn func(id string, s *customer.State)) {
	for id, s := range m.customers {
		fn(id, s)
	}
}

// Customer implements processors.Store. It never fails.
func (m *MemStore) Customer(id string) (*customer.State, error) { return m.customers[id], nil }

// Put implements processors.Store.
func (m *MemStore) Put(id string, s *customer.State) {
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
	heap.Push(&m.queue, deadline{at, id})
}

// Delete implements processors.Store.
func (m *MemStore) Delete(id string) {
	delete(m.customers, id)
	delete(m.deadlines, id)
	if n := len(m.classes); n > 0 {
		c := ledger.Class(id, uint32(n)) //nolint:gosec // the length is the uint32 that Class was called with
		m.classes[c] = slices.DeleteFunc(m.classes[c], func(other string) bool { return other == id })
	}
}

// Due implements processors.Store. It never fails.
func (m *MemStore) Due(now int64, limit int) ([]string, error) {
	var due []deadline
	for len(due) < limit && len(m.queue) > 0 && m.queue[0].at <= now {
		w := heap.Pop(&m.queue).(deadline) //nolint:forcetypeassert // the queue holds nothing else
		if at, ok := m.deadlines[w.id]; !ok || at != w.at || (len(due) > 0 && due[len(due)-1] == w) {
			continue // the deadline has moved since, or the queue holds it twice
		}
		due = append(due, w)
	}
	ids := make([]string, len(due))
	for i, w := range due {
		ids[i] = w.id
		heap.Push(&m.queue, w) // the customer stays due until Step moves the deadline
	}
	return ids, nil
}

// Class implements processors.Store. It never fails.
func (m *MemStore) Class(class, classes uint32) ([]string, error) {
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

func (m *MemStore) classify(id string) {
	c := ledger.Class(id, uint32(len(m.classes))) //nolint:gosec // the length is the uint32 that Class was called with
	m.classes[c] = append(m.classes[c], id)
}

type deadline struct {
	at int64
	id string
}

// deadlineQueue is a heap by time, then id. An element whose deadline has moved stays until Due pops it.
type deadlineQueue []deadline

func (q deadlineQueue) Len() int { return len(q) }

func (q deadlineQueue) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(q[i].at, q[j].at), cmp.Compare(q[i].id, q[j].id)) < 0
}

func (q deadlineQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

func (q *deadlineQueue) Push(x any) { *q = append(*q, x.(deadline)) } //nolint:forcetypeassert // heap.Interface

func (q *deadlineQueue) Pop() any {
	last := len(*q) - 1
	w := (*q)[last]
	*q = (*q)[:last]
	return w
}
