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
// the others as the memory setting allows. Step reads and writes customers through it, as its processors.Store.
type workingSet struct {
	limit      int64 // bytes
	bytes      int64 // taken, estimated; never less than what is taken, see TestCacheCountsWhatItTakes
	dirtyBytes int64 // of bytes, those of dirty
	customers  map[string]*cachedCustomer
	lastLookup *cachedCustomer   // Step asks for the same customer several times in a row
	evictable  *list.List        // of *cachedCustomer: the unchanged ones, the least recently used in front
	dirty      []*cachedCustomer // changed since the last commit: nowhere else, so never evicted

	missing    []*cachedCustomer // requested, and not looked up in Redis yet
	missingIDs []string          // memory that is used again for the ids of missing
	store      committedStore
	classes    classWindow
}

// cacheShare returns how many bytes of the memory setting customers may take. The rest is room for the garbage collector, which would
// otherwise run all the time to keep the process within the setting (see pkg/node/memory).
func cacheShare(setting int64) int64 { return setting / 4 * 3 }

// committedStore is the partition in Redis, as of the last commit.
type committedStore interface {
	Load(ids []string) ([][]byte, error)
	Due(now int64, limit int) ([]redis.Timer, error)
	Classes(first, end, classes uint32) ([][]string, error)
}

// cachedCustomer is one customer in memory.
type cachedCustomer struct {
	id        string
	state     *customer.State // nil: there is none, and if dirty it was deleted
	size      int64           // its share of workingSet.bytes
	dirty     bool            // in workingSet.dirty
	committed bool            // Redis knows the customer
	element   *list.Element   // in workingSet.evictable; nil while dirty or not loaded
	deadline  int64           // as Redis has it; 0: none
}

// due returns the customer's deadline; false if there is none.
func (h *cachedCustomer) due() (int64, bool) {
	if h.state == nil {
		return 0, false
	}
	return h.state.Deadline()
}

func newWorkingSet(limit int64, store committedStore) *workingSet {
	return &workingSet{limit: limit, customers: map[string]*cachedCustomer{}, evictable: list.New(), store: store}
}

// lookup returns a customer that is in memory; nil: it is not.
func (w *workingSet) lookup(id string) *cachedCustomer {
	if w.lastLookup == nil || w.lastLookup.id != id {
		w.lastLookup = w.customers[id]
	}
	return w.lastLookup
}

// request returns a customer, who has a state once load was called. The memory of id may be used again afterwards.
func (w *workingSet) request(id string) *cachedCustomer {
	h := w.customers[id]
	if h != nil {
		w.touch(h)
		return h
	}
	h = &cachedCustomer{id: strings.Clone(id)}
	w.customers[h.id] = h
	w.missing = append(w.missing, h)
	return h
}

// load looks up the requested customers, in one request that also checks that Redis holds this claim's token and its last
// commit.
func (w *workingSet) load() error {
	if len(w.missing) == 0 {
		return nil
	}
	w.missingIDs = w.missingIDs[:0]
	for _, h := range w.missing {
		w.missingIDs = append(w.missingIDs, h.id)
	}
	blobs, err := w.store.Load(w.missingIDs)
	if err != nil {
		return fmt.Errorf("load %d customers: %w", len(w.missing), err)
	}
	for i, h := range w.missing {
		if blobs[i] != nil {
			//mutant:undecodable-claimed-again replace if h.state, err = customer.Decode(blobs[i]); err != nil { return err }
			if h.state, err = customer.Decode(blobs[i]); err != nil {
				return fmt.Errorf("decode a customer: %w: %w", redis.ErrTorn, err)
			}
			h.deadline, _ = h.state.Deadline()
			h.committed = true
		}
		w.resize(h)
		h.element = w.evictable.PushBack(h)
	}
	w.missing = w.missing[:0]
	return nil
}

// Customer is processors.Store's.
func (w *workingSet) Customer(id string) (*customer.State, error) {
	h := w.lookup(id)
	if h == nil {
		w.request(id)
		if err := w.load(); err != nil {
			return nil, err
		}
		h = w.lookup(id)
	}
	return h.state, nil
}

// Put is processors.Store's.
func (w *workingSet) Put(id string, s *customer.State) {
	h := w.lookup(id)
	if h == nil {
		h = &cachedCustomer{id: id}
		w.customers[id] = h
	}
	h.state = s
	w.resize(h)
	if h.dirty {
		return
	}
	h.dirty = true
	w.dirtyBytes += h.size
	//mutant:evict-changed if false && $
	if h.element != nil {
		w.evictable.Remove(h.element)
		h.element = nil
	}
	w.dirty = append(w.dirty, h)
	if !h.committed {
		w.classes.created = append(w.classes.created, id)
	}
}

// Delete is processors.Store's. The next commit deletes the customer in Redis.
func (w *workingSet) Delete(id string) { w.Put(id, nil) }

// Due is processors.Store's: the timers in Redis, overlaid with the changes since the last commit, then ordered.
func (w *workingSet) Due(now int64, limit int) ([]string, error) {
	timers := make([]redis.Timer, 0, limit)
	for _, h := range w.dirty {
		if at, ok := h.due(); ok && at <= now {
			timers = append(timers, redis.Timer{ID: h.id, Deadline: at})
		}
	}
	// The timers of changed customers in Redis are ignored, so as many more are read.
	stored, err := w.store.Due(now, limit+len(w.dirty))
	if err != nil {
		return nil, fmt.Errorf("read due timers: %w", err)
	}
	for _, t := range stored {
		//mutant:timers-not-overlaid if false && $
		if h := w.customers[t.ID]; h != nil && h.dirty {
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
		w.request(ids[i])
	}
	if err := w.load(); err != nil {
		return nil, err
	}
	for _, id := range ids {
		if w.customers[id].state == nil {
			return nil, fmt.Errorf("a timer without its customer: %w", redis.ErrTorn)
		}
	}
	return ids, nil
}

func (w *workingSet) changed() int { return len(w.dirty) }

// crowded reports whether changed customers, which cannot be evicted, take more than half of the memory setting.
func (w *workingSet) crowded() bool { return w.dirtyBytes > w.limit/2 }

// classWindow is the hash classes that were read from Redis since the last commit: some more than the one that was asked for,
// since they are walked in order.
type classWindow struct {
	classes, first uint32     // of how many classes, and the first of ids
	ids            [][]string // by class
	created        []string   // customers that Redis does not know yet
}

// classesAhead are read, and their customers loaded, in one request each.
const classesAhead = 16

// Class is processors.Store's: the customers in Redis, and those created since the last commit.
func (w *workingSet) Class(class, classes uint32) ([]string, error) {
	a := &w.classes
	if a.classes != classes || class < a.first || class-a.first >= uint32(len(a.ids)) { //nolint:gosec // at most classesAhead
		end := min(class+classesAhead, classes)
		ids, err := w.store.Classes(class, end, classes)
		if err != nil {
			return nil, fmt.Errorf("read the customers of a class: %w", err)
		}
		a.classes, a.first, a.ids = classes, class, ids
		for _, members := range ids {
			for _, id := range members {
				w.request(id)
			}
		}
		if err := w.load(); err != nil {
			return nil, err
		}
		for _, members := range ids {
			for _, id := range members {
				if h := w.customers[id]; h.state == nil && !h.dirty {
					return nil, fmt.Errorf("a customer of a class without a state: %w", redis.ErrTorn)
				}
			}
		}
	}
	ids := slices.Clone(a.ids[class-a.first])
	for _, id := range a.created {
		//mutant:class-without-new if false && $
		if ledger.Class(id, classes) == class {
			ids = append(ids, id)
		}
	}
	ids = slices.DeleteFunc(ids, func(id string) bool {
		h := w.customers[id]
		return h != nil && h.dirty && h.state == nil
	})
	slices.Sort(ids)
	return ids, nil
}

// changes returns what a commit writes: the changed customers, and the timers that are new or have moved.
func (w *workingSet) changes() ([]redis.Blob, []redis.Timer) {
	blobs := make([]redis.Blob, 0, len(w.dirty))
	var timers []redis.Timer
	for _, h := range w.dirty {
		if h.state == nil {
			//mutant:erasure-not-committed if false && $
			if h.committed { // otherwise it was created and deleted since the last commit
				blobs = append(blobs, redis.Blob{ID: h.id, Known: true, Removed: true})
			}
			continue
		}
		blobs = append(blobs, redis.Blob{ID: h.id, Value: h.state.Encode(nil), Known: h.committed})
		//mutant:commit-skips-timers if false && $
		//mutant:commit-skips-moved-timers if $ && h.deadline == 0
		if at, _ := h.due(); at != h.deadline || !h.committed {
			timers = append(timers, redis.Timer{ID: h.id, Deadline: at})
		}
	}
	return blobs, timers
}

// committed makes the changed customers evictable: Redis has them.
func (w *workingSet) committed() {
	for _, h := range w.dirty {
		h.dirty, h.committed = false, h.state != nil
		h.deadline, _ = h.due()
		h.element = w.evictable.PushBack(h)
	}
	clear(w.dirty)
	w.dirty, w.dirtyBytes = w.dirty[:0], 0
	w.classes = classWindow{created: w.classes.created[:0]}
}

func (w *workingSet) touch(h *cachedCustomer) {
	if h.element != nil {
		w.evictable.MoveToBack(h.element)
	}
}

func (w *workingSet) resize(h *cachedCustomer) {
	const overhead = 216 // map cell, list element, cachedCustomer
	size := int64(len(h.id)) + overhead
	if h.state != nil {
		size += int64(h.state.Size())
	}
	w.bytes += size - h.size
	if h.dirty {
		w.dirtyBytes += size - h.size
	}
	h.size = size
}

// evict keeps to the memory setting. It is called between chunks only: while a chunk is folded, its customers stay.
func (w *workingSet) evict() {
	for w.bytes > w.limit && w.evictable.Len() > 0 {
		w.lastLookup = nil
		h := w.evictable.Remove(w.evictable.Front()).(*cachedCustomer) //nolint:forcetypeassert // the list holds nothing else
		delete(w.customers, h.id)
		w.bytes -= h.size
	}
}
