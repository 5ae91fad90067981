package faulttest

import (
	"fmt"

	"github.com/cespare/xxhash/v2"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// Which of two records of different inputs is in the ledger first, nobody but the ledger can say. So the oracle takes from the ledger the
// order of entries, and nothing else: which input records are from before an erasure of the customers whom they concern.

// inputPlace is the place of an event in the inputs.
type inputPlace struct {
	topic     string
	partition int32
	offset    int64
	ordinal   uint32 // in its record
}

func placeOf(o *ledger.Origin) inputPlace {
	return inputPlace{o.GetTopic(), o.GetPartition(), o.GetOffset(), o.GetOrdinal()}
}

// forgotten is what the ledger's order says of erasures. A life is the time up to an erasure.
type forgotten struct {
	lives    map[string]int          // by customer: how often they were erased
	records  map[inputPlace]lifeOf   // of the events that count
	erasures []erasure               // of customers who were known or not
	names    map[nameIn]int          // how many requests to drop a name a partition got, so far
	ids      map[uint64]string       // by hash
	stated   map[inputPlace]referred // what each referral says itself
	creditor map[inputPlace]referred // what counts of it: what the first of its repetitions says
	first    map[eventOf]referred    // of each referral the one that came first: a repetition is no new referral
}

// eventOf is an event of a life.
type eventOf struct {
	lifeOf

	id string
}

type lifeOf struct {
	customer string
	number   int
}

// erasure ended a life. dropped is how many requests to drop each name the customer's partition had got.
type erasure struct {
	lifeOf

	dropped map[uint64]int
}

type nameIn struct {
	partition int32
	hash      uint64
}

// referred is the referrer that a referral names, and how many requests to drop that name the partition had got.
type referred struct {
	referrer string
	dropped  int
}

// readForgotten reads the ledger in its order. Entries that were appended again, or after a missing one, do not count: their source is
// read again.
func (w *world) readForgotten() (*forgotten, error) {
	f := &forgotten{
		lives: map[string]int{}, records: map[inputPlace]lifeOf{}, names: map[nameIn]int{}, ids: map[uint64]string{}, stated: map[inputPlace]referred{},
		creditor: map[inputPlace]referred{}, first: map[eventOf]referred{},
	}
	type source struct {
		ledger, partition int32
		topic             string
	}
	type mark struct {
		offset  int64
		ordinal uint32
	}
	marks := map[source]mark{}
	err := w.readPartitions(ledger.Topic(w.cfg.Namespace), func(p int32, r kafka.Record) error {
		var e ledger.Entry
		if err := e.UnmarshalVT(r.Value); err != nil {
			return err
		}
		o := e.GetOrigin()
		if o != nil {
			from := source{p, o.GetPartition(), fmt.Sprint(o.GetTopic(), o.GetIncarnation())}
			last, ok := marks[from]
			again := ok && (o.GetOffset() < last.offset || o.GetOffset() == last.offset && o.GetOrdinal() <= last.ordinal)
			after := e.GetAfter()
			missing := after != nil && (!ok || after.GetOffset() > last.offset || after.GetOffset() == last.offset && after.GetOrdinal() > last.ordinal)
			if again || missing {
				return nil
			}
			marks[from] = mark{o.GetOffset(), o.GetOrdinal()}
		}
		id := e.GetCustomer()
		switch e.GetKind() {
		case ledger.Kind_KIND_ERASE:
			dropped := map[uint64]int{}
			for at, n := range f.names {
				if at.partition == p {
					dropped[at.hash] = n
				}
			}
			f.erasures = append(f.erasures, erasure{lifeOf{id, f.lives[id]}, dropped})
			f.lives[id]++
		case ledger.Kind_KIND_UNNAME:
			var u ledger.Unname
			if err := u.UnmarshalVT(e.GetPayload()); err != nil {
				return err
			}
			f.names[nameIn{p, u.GetCustomer()}]++
		case ledger.Kind_KIND_EVENT:
			var x ledger.Event
			if err := x.UnmarshalVT(e.GetPayload()); err != nil {
				return err
			}
			at := placeOf(o)
			f.records[at] = lifeOf{id, f.lives[id]}
			if by := x.GetReferral().GetReferrer(); by != "" {
				f.stated[at] = referred{by, f.names[nameIn{p, xxhash.Sum64String(by)}]}
				named, again := f.first[eventOf{f.records[at], x.GetId()}]
				if !again {
					named = f.stated[at]
					f.first[eventOf{f.records[at], x.GetId()}] = named
				}
				f.creditor[at] = named
			}
		default:
		}
		return nil
	})
	return f, err
}

// remains says whether a record counts still: it concerns nobody who was erased after it, and repeats no referral by such a customer.
func (f *forgotten) remains(r inputPlace) bool { return f.isAfterErasures(r, f.creditor) }

// isAfterErasures says whether a record concerns nobody who was erased after it.
func (f *forgotten) isAfterErasures(r inputPlace, creditor map[inputPlace]referred) bool {
	of, ok := f.records[r]
	if !ok {
		return true // it is in no ledger entry, as tests and duplicates of an intake are
	}
	by, names := creditor[r]
	return of.number == f.lives[of.customer] && (!names || by.dropped == f.lives[by.referrer])
}

// unnamedCredits is what referrers are credited with for customers who were erased: the credit as of the erasure, unless the referrer was
// erased after it.
func (w *world) unnamedCredits(f *forgotten) (map[string]int64, error) {
	all := map[string]int64{}
	for _, x := range f.erasures {
		recounted, err := w.recount(func(r inputPlace) bool {
			by, names := f.creditor[r]
			return f.records[r] == x.lifeOf && (!names || by.dropped == x.dropped[xxhash.Sum64String(by.referrer)])
		})
		if err != nil {
			return nil, err
		}
		e, ok := recounted.referral[x.customer]
		if ok && recounted.customers[x.customer] != nil && x.dropped[xxhash.Sum64String(e.Referrer)] == f.lives[e.Referrer] {
			all[e.Referrer] += recounted.credited(x.customer)
		}
	}
	return all, nil
}

// checkForgotten looks for erased customers in a copy of the ledger: there is no entry of theirs from before, and no referral that names
// them.
func (w *world) checkForgotten(f *forgotten, namespace string, partitions int32) (problems []string) {
	for p := range partitions {
		bounds, err := w.client.Kafka.ListOffsets(w.ctx, ledger.Topic(namespace), []int32{p})
		if err != nil {
			return append(problems, err.Error())
		}
		_, err = w.client.Kafka.ReadCommitted(w.ctx, ledger.Topic(namespace), p, 0, bounds[p].LastStable, func(r kafka.Record) error {
			var e ledger.Entry
			if err := e.UnmarshalVT(r.Value); err != nil || e.GetKind() != ledger.Kind_KIND_EVENT {
				return err
			}
			// A copy keeps the repetition of a referral after its referrer's erasure: nothing in it repeats another event any more.
			if !f.isAfterErasures(placeOf(e.GetOrigin()), f.stated) {
				problems = append(problems, fmt.Sprintf("copy of the ledger: entry %d of partition %d is from before an erasure", r.Offset, p))
			}
			return nil
		})
		if err != nil {
			return append(problems, err.Error())
		}
	}
	return problems
}
