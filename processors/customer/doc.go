// Package customer owns the state of one customer, and how each event changes it.
//
// It refuses to judge: no score, class or output is decided here. The same events give the same state in whatever order they
// arrive, as long as they arrive within the memory that the settings define:
//
//   - Purchase days are kept for ever, so frequency, recency and spend are exact however late an event arrives.
//   - Orders are kept for memory_days from the day on which they were folded, the newest memory_orders of them, so that
//     refunds and cancellations find their order. A refund whose order is unknown lowers the historic value and stays pending
//     until the order arrives.
//   - Event ids are kept for dedup_days, at most dedup_events of them, at 9 bytes each. An id that is only the id of the order,
//     refund or response is not kept, since that id is kept anyway.
//
// Whether an item is still in memory depends on its age at the time of the entry, and is tested at each use. Evict drops only
// items that have expired by base time, which is never later, so eviction by age never changes an answer.
//
// An order is identified by 40 bits of the unkeyed hash of its id: a new order collides with one of 1,024 remembered orders
// with probability 1e-9, with one of ten with 1e-11. A collision shows as order_conflict, or a refund finds the wrong order.
// Event ids have 48 bits (with 256 of them: 1e-12, shown as event_conflict). Facts have 16 bits: one of 65,536 conflicts is
// taken for a duplicate, which changes no state either way.
package customer
