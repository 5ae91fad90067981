package ledgercopy

import (
	"cmp"
	"fmt"

	"github.com/mainstay/mainstay/pkg/kafka/murmur2"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// copyItem copies an item, behind a tick with its base time.
func (c *copier) copyItem(it item) error {
	copied := &ledger.Copied{Partition: it.partition, Offset: it.offset}
	if it.base > c.base {
		c.base = it.base
		if err := c.copyTick(it.base, copied); err != nil {
			return err
		}
	}
	if it.entry == nil {
		return nil
	}
	old := it.entry
	e := &ledger.Entry{
		Version: old.GetVersion(), Kind: old.GetKind(), Customer: old.GetCustomer(), Time: old.GetTime(), Payload: old.GetPayload(), Copied: copied, Headers: old.GetHeaders(),
	}
	switch e.GetKind() {
	case ledger.Kind_KIND_EVENT, ledger.Kind_KIND_MERGE:
		e.Origin = old.GetOrigin()
		if left, err := c.isLeftOut(e); left || err != nil {
			return err
		}
	case ledger.Kind_KIND_ERASE:
		if o := old.GetOrigin(); o.GetTopic() != "" { // otherwise a fold of the old ledger sent it, and the copy has no such partition
			e.Origin = o
		}
		if c.erased.honoured(it.partition, it.offset) || c.without[e.GetCustomer()] {
			return nil
		}
	case ledger.Kind_KIND_CREDIT: // its origin is a partition of the old ledger
		if !c.erased.honoured(old.GetOrigin().GetPartition(), old.GetOrigin().GetOffset()) || c.erased.covers(e) || c.without[e.GetCustomer()] {
			return nil
		}
		var err error
		if e.Payload, err = withoutName(old); err != nil {
			return err
		}
	case ledger.Kind_KIND_CALL_MARK:
		//mutant:copy-keeps-erased-marks if false && $
		if c.without[e.GetCustomer()] || c.erased.covers(e) {
			return nil
		}
	default: // holds for all customers
		return c.copyToAll(e)
	}
	value, err := encode(e)
	if err != nil {
		return err
	}
	to := murmur2.PartitionFor([]byte(e.GetCustomer()), c.genesis.GetPartitions())
	return c.out.add(&c.out.targets[to], value, e.GetCustomer())
}

// withoutName returns the payload of a credit for an erased customer without the hash of their id: in the copy, no credit names them.
func withoutName(e *ledger.Entry) ([]byte, error) {
	var k ledger.Credit
	err := k.UnmarshalVT(e.GetPayload())
	var payload []byte
	if err == nil {
		k.ReferredHash = 0
		payload, err = k.MarshalVT()
	}
	if err != nil {
		return nil, fmt.Errorf("a credit for an erased customer: %w", err)
	}
	return payload, nil
}

// copyTick copies base time.
func (c *copier) copyTick(base int64, copied *ledger.Copied) error {
	payload, err := processors.CopyTick(c.merge.topic, base).MarshalVT()
	if err != nil {
		return fmt.Errorf("encode a tick: %w", err)
	}
	return c.copyToAll(&ledger.Entry{Version: ledger.Version, Kind: ledger.Kind_KIND_TICK, Time: base, Payload: payload, Copied: copied})
}

// copyToAll copies an entry without origin to all partitions. The origin that thresholds have is a partition of the old ledger.
func (c *copier) copyToAll(e *ledger.Entry) error {
	value, err := encode(e)
	if err != nil {
		return err
	}
	for i := range c.out.targets {
		if err := c.out.add(&c.out.targets[i], value, ""); err != nil {
			return err
		}
	}
	return nil
}

func encode(e *ledger.Entry) ([]byte, error) {
	value, err := e.MarshalVT()
	if err != nil {
		return nil, fmt.Errorf("encode an entry: %w", err)
	}
	return value, nil
}

// isLeftOut reports whether an event concerns a customer of whom nothing is copied: it is theirs, or it names them as the referrer or as the
// customer into whom another is merged.
func (c *copier) isLeftOut(e *ledger.Entry) (bool, error) {
	if c.without[e.GetCustomer()] || c.erased.covers(e) {
		return true, nil
	}
	if len(c.without) == 0 && len(c.erased.names[e.GetCopied().GetPartition()]) == 0 {
		return false, nil
	}
	event, err := c.events.Read(e.GetPayload())
	if err != nil {
		return false, fmt.Errorf("entry %d of %s/%d: %w", e.GetCopied().GetOffset(), c.merge.topic, e.GetCopied().GetPartition(), err)
	}
	//mutant:copy-names-referrer insert event.Referral = nil
	other := cmp.Or(event.GetReferral().GetReferrer(), event.GetMerge().GetInto())
	return other != "" && (c.without[other] || c.erased.coversName(e, other)), nil
}
