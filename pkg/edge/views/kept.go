package views

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// How long an answer that took a read of all customers is kept: keptFor, or keptTimes the time that it took, so that reads take at most
// about a tenth of one processor, however often and however differently somebody asks.
const (
	keptFor     = 3 * time.Second
	keptTimes   = 10
	keptAnswers = 8                // of one kind
	patience    = 15 * time.Second // of a request; the read goes on, so that a later request finds its answer
	readTimeout = 2 * time.Minute
)

// ErrReading means that all customers are still being read: ask again in some seconds.
var ErrReading = errors.New("all customers are still being read; ask again in some seconds")

// kept keeps the newest answers. Requests for an answer that is being made wait for it.
type kept[T any] struct {
	now      func() time.Time
	scanning chan struct{} // holds a token while all customers are read, for whatever answer
	mu       *sync.Mutex
	answers  map[string]*answer[T]
}

type answer[T any] struct {
	done  chan struct{}
	value T
	err   error
	until time.Time // kept; valid once done
}

func newKept[T any](now func() time.Time, scanning chan struct{}) kept[T] {
	return kept[T]{now: now, scanning: scanning, mu: new(sync.Mutex), answers: map[string]*answer[T]{}}
}

// get returns the answer of a key, from make unless one is kept.
func (k *kept[T]) get(ctx context.Context, key string, read func(context.Context) (T, error)) (value T, err error) {
	a := k.find(key)
	if a == nil {
		a = k.begin(ctx, key, read)
	}
	waited := time.NewTimer(patience)
	defer waited.Stop()
	select {
	case <-a.done:
		return a.value, a.err
	case <-ctx.Done():
		return value, fmt.Errorf("wait for all customers to be read: %w", ctx.Err())
	case <-waited.C:
		return value, ErrReading
	}
}

// find returns the answer that is kept or being made; nil if there is none.
func (k *kept[T]) find(key string) *answer[T] {
	k.mu.Lock()
	defer k.mu.Unlock()
	a := k.answers[key]
	if a == nil {
		return nil
	}
	select {
	case <-a.done:
		if a.err != nil || !k.now().Before(a.until) {
			delete(k.answers, key)
			return nil
		}
	default:
	}
	return a
}

// each calls for every answer that is kept.
func (k *kept[T]) each(call func(key string, value T)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for key, a := range k.answers {
		select {
		case <-a.done:
			if a.err == nil && k.now().Before(a.until) {
				call(key, a.value)
			}
		default:
		}
	}
}

func (k *kept[T]) begin(ctx context.Context, key string, read func(context.Context) (T, error)) *answer[T] {
	k.mu.Lock()
	defer k.mu.Unlock()
	if a := k.answers[key]; a != nil { // another request was faster
		return a
	}
	k.makeRoom()
	a := &answer[T]{done: make(chan struct{})}
	k.answers[key] = a
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTimeout) // the answer serves others, too
	go func() {
		defer cancel()
		defer close(a.done)
		select {
		case k.scanning <- struct{}{}:
		case <-ctx.Done():
			a.err = ErrReading
			return
		}
		defer func() { <-k.scanning }()
		began := k.now()
		a.value, a.err = read(ctx)
		ended := k.now()
		a.until = ended.Add(max(keptFor, keptTimes*ended.Sub(began)))
	}()
	return a
}

// change replaces every answer that is kept. One that is being made is made anew for who asks from now on: it may have been read before what has
// changed.
func (k *kept[T]) change(call func(T) T) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for key, a := range k.answers {
		select {
		case <-a.done:
			if a.err == nil { // it is read without the lock, so it is not written to
				k.answers[key] = &answer[T]{done: a.done, value: call(a.value), until: a.until}
			}
		default:
			//mutant:stale-read-after-mark delete
			delete(k.answers, key)
		}
	}
}

// makeRoom forgets the answer that was to be forgotten first. One that is being made is left: whoever asked waits for it.
func (k *kept[T]) makeRoom() {
	for len(k.answers) >= keptAnswers {
		oldest := ""
		for key, a := range k.answers {
			select {
			case <-a.done:
			default:
				continue
			}
			if oldest == "" || a.until.Before(k.answers[oldest].until) {
				oldest = key
			}
		}
		if oldest == "" {
			return
		}
		delete(k.answers, oldest)
	}
}
