package event

import (
	"encoding/binary"
	"strconv"

	"github.com/cespare/xxhash/v2"
)

// key is by what an event is known that has no event_id: what it is about and, where that can happen to it more than
// once, when. Prefixes keep the kinds apart where they share a source.
type key struct {
	what   string
	id     string
	hashed string // stands in for a missing id; a customer, so it must not show
	status string
	at     int64 // ms
	timed  bool
}

// identify gives the event its id: event_id, or its natural key.
func (d *Decoder) identify(c *common) {
	if c.eventID != "" {
		c.into.Event.Id = c.eventID
		return
	}
	k := &c.key
	s := &d.r.scanner
	start := len(s.scratch)
	s.scratch = append(append(s.scratch, k.what...), k.id...)
	if k.id == "" && k.hashed != "" {
		s.scratch = append(s.scratch, '~')
		s.scratch = strconv.AppendUint(s.scratch, xxhash.Sum64String(k.hashed), 16)
	}
	if k.status != "" {
		s.scratch = append(append(s.scratch, ':'), k.status...)
	}
	if k.timed {
		s.scratch = strconv.AppendInt(append(s.scratch, '@'), k.at, 10)
	}
	c.into.Event.Id = view(s.scratch[start:])
}

// facts hashes what was stated: XXH64, without seed, of the kind and then each field in the order of ledger.proto, texts
// after their length and numbers as varints. It stands in ledgers, so it never changes. Left out are the event_id and the
// source, which only name the event; times that were not stated, since they differ from one delivery to the next; and
// comments, which depend on a setting.
func (d *Decoder) facts(kind Kind, c *common) {
	e := &c.into.Event
	b := &d.canon
	*b = append((*b)[:0], byte(kind))
	b.time(e.OccurredAt, c.occurred)
	kinds[kind].facts(b, e, c)
	e.Facts = xxhash.Sum64(*b)
}

// canonical is the form of facts that is hashed.
type canonical []byte

func (b *canonical) text(s string) {
	*b = append(binary.AppendUvarint(*b, uint64(len(s))), s...)
}

func (b *canonical) number(n int64) { *b = binary.AppendVarint(*b, n) }

func (b *canonical) boolean(t bool) {
	if t {
		*b = append(*b, 1)
		return
	}
	*b = append(*b, 0)
}

// time is 0 where it is not stated; times before 1990 are refused, so that no stated one is 0.
func (b *canonical) time(ms int64, stated bool) {
	if !stated {
		ms = 0
	}
	b.number(ms)
}
