// Package customer owns what is remembered of one customer, and how each event changes it.
//
// It refuses to judge: no score, class or output is decided here. Whatever the order in which the same events arrive, the
// same state is left, as long as they come within the memory that the settings give:
//
//   - Purchase days are kept for ever, so frequency, recency and spend are exact however late an event comes.
//   - Orders are kept for memory_days from the day they were folded, the newest memory_orders of them, so that refunds
//     and cancellations find theirs. A refund whose order is unknown lowers the historic value and waits for it.
//   - Event ids are kept for dedup_days, at most dedup_events of them, at 9 bytes each; an id that is nothing but the
//     order's, refund's or response's own is not kept, since those are remembered anyway.
//
// Membership in a memory is by age against now and is tested before use; what is dropped is what base time has already
// made a stranger, so dropping it never changes an answer.
//
// Orders are known by 40 bits of their id's hash, unkeyed: among 1,024 remembered orders a new one meets a namesake with
// probability 1e-9, among ten with 1e-11. It then shows as order_conflict, or a refund finds the wrong order. Event ids
// have 48 bits (256 of them: 1e-12, shown as event_conflict), facts 16: of 65,536 conflicts one passes for a duplicate, which
// changes no state either way.
package customer
