package fold

import (
	"cmp"
	"container/list"
	"fmt"
	"slices"
	"strings"

	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// workingSet is the customers of one partition that are in memory: all that changed since the last commit, and as many of
// the others as the memory setting allows. It is what Step sees.
type workingSet struct {
	limit int64
	bytes int64
	held  map[string]*held
	hand  *held      // who was found last: Step asks for one customer several times
	used  *list.List // of *held that may be dropped, the longest unused in front
	dirty []*held

	want  []*held
	ids   []string // of want
	store stored
	ahead ahead
}

// stored is the partition in Redis, as of the last commit.
type stored interface {
	Load(ids []string) ([][]byte, error)
	Due(now int64, limit int) ([]redis.Timer, error)
	Classes(first, end, classes uint32) ([][]string, error)
}

// held is one customer in memory. A nil state is a customer that Redis does not know.
type held struct {
	id       string
	state    *customer.State
	size     int64
	dirty    bool
	known    bool // to Redis
	place    *list.Element
	deadline int64 // as Redis has it; 0: none
}

func newWorkingSet(limit int64, store stored) *workingSet {
	return &workingSet{limit: limit, held: map[string]*held{}, used: list.New(), store: store}
}

// find returns a customer that is in memory.
func (w *workingSet) find(id string) *held {
	if w.hand == nil || w.hand.id != id {
		w.hand = w.held[id]
	}
	return w.hand
}

// wants notes a customer for the next load, and returns his place. The id's bytes may change afterwards.
func (w *workingSet) wants(id []byte) *held {
	h := w.held[string(id)]
	if h != nil {
		w.touch(h)
		return h
	}
	h = &held{id: string(id)} // not looked up yet: place and state are nil
	w.held[h.id] = h
	w.want = append(w.want, h)
	return h
}

// load looks up what is wanted, in one request that also proves that the partition is still ours and has not gone back.
func (w *workingSet) load() error {
	if len(w.want) == 0 {
		return nil
	}
	w.ids = w.ids[:0]
	for _, h := range w.want {
		w.ids = append(w.ids, h.id)
	}
	blobs, err := w.store.Load(w.ids)
	if err != nil {
		return fmt.Errorf("load %d customers: %w", len(w.want), err)
	}
	for i, h := range w.want {
		if blobs[i] != nil {
			if h.state, err = customer.Decode(blobs[i]); err != nil {
				return fmt.Errorf("decode a customer: %w", err)
			}
			h.deadline, _ = h.state.Deadline()
			h.known = true
		}
		w.resize(h)
		h.place = w.used.PushBack(h)
	}
	w.want = w.want[:0]
	return nil
}

// lasting returns the id as it is kept here, if it is.
func (w *workingSet) lasting(id string) string {
	if h := w.find(id); h != nil {
		return h.id
	}
	return strings.Clone(id)
}

// Customer is processors.Store's.
func (w *workingSet) Customer(id string) (*customer.State, error) {
	h := w.find(id)
	if h == nil {
		w.wants([]byte(id))
		if err := w.load(); err != nil {
			return nil, err
		}
		h = w.find(id)
	}
	return h.state, nil
}

// Put is processors.Store's.
func (w *workingSet) Put(id string, s *customer.State) {
	h := w.find(id)
	if h == nil {
		h = &held{id: id}
		w.held[id] = h
	}
	h.state = s
	w.resize(h)
	if h.dirty {
		return
	}
	h.dirty = true
	//mutant:evict-changed if false && $
	if h.place != nil {
		w.used.Remove(h.place)
		h.place = nil
	}
	w.dirty = append(w.dirty, h)
	if !h.known {
		w.ahead.fresh = append(w.ahead.fresh, id)
	}
}

// Due is processors.Store's: what Redis has, overlaid with what has changed since the last commit, then ordered.
func (w *workingSet) Due(now int64, limit int) ([]string, error) {
	timers := make([]redis.Timer, 0, limit)
	for _, h := range w.dirty {
		if at, ok := h.state.Deadline(); ok && at <= now {
			timers = append(timers, redis.Timer{ID: h.id, Deadline: at})
		}
	}
	// Changed customers hide what Redis says of them, so as many more are asked for.
	stored, err := w.store.Due(now, limit+len(w.dirty))
	if err != nil {
		return nil, fmt.Errorf("read due timers: %w", err)
	}
	for _, t := range stored {
		//mutant:timers-not-overlaid if false && $
		if h := w.held[t.ID]; h != nil && h.dirty {
			continue
		}
		timers = append(timers, t)
	}
	slices.SortFunc(timers, func(a, b redis.Timer) int {
		return cmp.Or(cmp.Compare(a.Deadline, b.Deadline), cmp.Compare(a.ID, b.ID))
	})
	ids := make([]string, min(limit, len(timers)))
	for i := range ids {
		ids[i] = timers[i].ID
		w.wants([]byte(ids[i]))
	}
	if err := w.load(); err != nil {
		return nil, err
	}
	for _, id := range ids {
		if w.held[id].state == nil {
			return nil, fmt.Errorf("a timer without its customer: %w", redis.ErrTorn)
		}
	}
	return ids, nil
}

func (w *workingSet) changed() int { return len(w.dirty) }

// ahead is what was read of the classes of customers since the last commit, some more than was asked for, and who is new.
type ahead struct {
	classes, first uint32
	ids            [][]string
	fresh          []string // not in Redis yet
}

// classesAhead are read, and their customers loaded, in one request each.
const classesAhead = 16

// Class is processors.Store's: what Redis has, overlaid with who has come since the last commit.
func (w *workingSet) Class(class, classes uint32) ([]string, error) {
	a := &w.ahead
	if a.classes != classes || class < a.first || class-a.first >= uint32(len(a.ids)) { //nolint:gosec // at most classesAhead
		end := min(class+classesAhead, classes)
		ids, err := w.store.Classes(class, end, classes)
		if err != nil {
			return nil, fmt.Errorf("read the customers of a class: %w", err)
		}
		a.classes, a.first, a.ids = classes, class, ids
		for _, some := range ids {
			for _, id := range some {
				w.wants([]byte(id))
			}
		}
		if err := w.load(); err != nil {
			return nil, err
		}
		for _, some := range ids {
			for _, id := range some {
				if w.held[id].state == nil {
					return nil, fmt.Errorf("a customer of a class without a state: %w", redis.ErrTorn)
				}
			}
		}
	}
	ids := slices.Clone(a.ids[class-a.first])
	for _, id := range a.fresh {
		//mutant:class-without-new if false && $
		if ledger.Class(id, classes) == class {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// changes is what a commit writes: the changed customers, and the timers that moved or are new.
func (w *workingSet) changes() ([]redis.Blob, []redis.Timer) {
	blobs := make([]redis.Blob, len(w.dirty))
	var timers []redis.Timer
	for i, h := range w.dirty {
		blobs[i] = redis.Blob{ID: h.id, Value: h.state.Encode(nil)}
		//mutant:commit-skips-timers if false && $
		//mutant:commit-skips-moved-timers if $ && h.deadline == 0
		if at, _ := h.state.Deadline(); at != h.deadline || !h.known {
			timers = append(timers, redis.Timer{ID: h.id, Deadline: at})
		}
	}
	return blobs, timers
}

// committed says that the changes are in Redis; only now may they be dropped from memory.
func (w *workingSet) committed() {
	for _, h := range w.dirty {
		h.dirty, h.known = false, true
		h.deadline, _ = h.state.Deadline()
		h.place = w.used.PushBack(h)
	}
	clear(w.dirty)
	w.dirty = w.dirty[:0]
	w.ahead = ahead{fresh: w.ahead.fresh[:0]}
}

func (w *workingSet) touch(h *held) {
	if h.place != nil {
		w.used.MoveToBack(h.place)
	}
}

func (w *workingSet) resize(h *held) {
	const overhead = 200 // map cell, list element, held
	size := int64(len(h.id)) + overhead
	if h.state != nil {
		size += int64(h.state.Size())
	}
	w.bytes += size - h.size
	h.size = size
}

// shrink keeps to the memory setting. It is called between chunks only: while one is folded, all it asked for stays.
func (w *workingSet) shrink() {
	for w.bytes > w.limit && w.used.Len() > 0 {
		w.hand = nil
		h := w.used.Remove(w.used.Front()).(*held) //nolint:forcetypeassert // the list holds nothing else
		delete(w.held, h.id)
		w.bytes -= h.size
	}
}
