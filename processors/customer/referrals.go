package customer

import (
	"cmp"
	"math/bits"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"

	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// referral is a pending, approved or voided referral in which this customer is the one referred.
type referral struct {
	id       uint64 // hash of the referral id, or of the referrer if no id was stated
	referrer string // customer id
	voided   bool
	pending  bool  // neither approved nor voided yet
	at       int64 // time of the event, ms
}

// mostReferrals bounds the referrals kept of a customer; more are rejected.
const mostReferrals = 16

// RecordReferral records a referral of this customer. Of several approved referrals the first by time is in force until it is
// voided; then the next one is. One that is approved while another is in force is rejected, and waits for that.
func (s *State) RecordReferral(own string, e *ledger.Event, r *ledger.Referral) Change {
	if r.GetReferrer() == own || s.HasMerged(r.GetReferrer()) {
		return rejected(output.SelfReferral)
	}
	next := referral{
		id: referralHash(r), referrer: r.GetReferrer(), at: e.GetOccurredAt(),
		voided: r.GetStatus() == ledger.ReferralStatus_REFERRAL_STATUS_VOIDED, pending: r.GetStatus() == ledger.ReferralStatus_REFERRAL_STATUS_PENDING,
	}
	i, found := slices.BinarySearchFunc(s.referrals, next, compareReferrals)
	switch {
	case found:
		return Change{Duplicate: true}
	case len(s.referrals) >= mostReferrals:
		return rejected(output.ReferralTaken)
	}
	next.referrer = strings.Clone(next.referrer)
	s.referrals = slices.Insert(s.referrals, i, next)
	if !next.voided && !next.pending && s.inForce() >= 0 && s.referrals[s.inForce()].referrer != next.referrer {
		return rejected(output.ReferralTaken)
	}
	return Change{}
}

// referralHash returns the hash of the referral id, or of the referrer if no id is stated.
func referralHash(r *ledger.Referral) uint64 {
	if id := r.GetReferralId(); id != "" {
		return xxhash.Sum64String(id)
	}
	return xxhash.Sum64String(r.GetReferrer())
}

func compareReferrals(a, b referral) int {
	status := func(r referral) int {
		switch {
		case r.voided:
			return 2
		case r.pending:
			return 0
		}
		return 1
	}
	return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.id, b.id), cmp.Compare(status(a), status(b)), strings.Compare(a.referrer, b.referrer))
}

// Referrer returns the id of the customer whose referral of this customer is in force; empty for none.
func (s *State) Referrer() string {
	i := s.inForce()
	if i < 0 {
		return ""
	}
	return s.referrals[i].referrer
}

// Lead reports whether a referral of this customer is known, and whether all that are known are pending.
func (s *State) Lead() (known, isPending bool) {
	return len(s.referrals) > 0, len(s.referrals) > 0 && !slices.ContainsFunc(s.referrals, func(r referral) bool { return !r.pending })
}

// inForce returns the index of the first approval that is not voided after it, -1 if there is none.
func (s *State) inForce() int {
	for i := range s.referrals {
		r := &s.referrals[i]
		if r.voided || r.pending {
			continue
		}
		if !slices.ContainsFunc(s.referrals[i+1:], func(v referral) bool { return v.voided && v.id == r.id }) {
			return i
		}
	}
	return -1
}

// CreditedNet returns what the referrer is credited with: the net revenue from the civil day of the referral on, which is that of
// its first event, approved or not. With referral.credit all it is the net revenue of all time. The purchase days are kept for ever, so the
// amount does not depend on what is in memory. Refunds whose order is unknown reduce it.
func (s *State) CreditedNet(t *Terms) int64 {
	i := s.inForce()
	if i < 0 {
		return 0
	}
	if t.Settings.GetReferralCredit() == ledger.ReferralCredit_REFERRAL_CREDIT_ALL {
		return max(0, s.Historic())
	}
	at := s.referrals[i].at
	for _, r := range s.referrals[:i] {
		if r.id == s.referrals[i].id && !r.voided {
			at = min(at, r.at)
		}
	}
	//mutant:credit-before-referral replace before := s.days.Until(-1 << 30)
	before := s.days.Until(t.Day(at) - 1)
	net := s.Historic()
	for _, d := range before {
		net -= d.Net
	}
	return max(0, net)
}

// credit is the credit for one customer whom this customer referred.
type credit struct {
	from    uint64 // creditKey
	net     int64  // the referred customer's realised net revenue, at least 0, minor units; withdrawn
	version int64  // offset in the referred customer's partition as of which it is stated; 0 where credits come in order
}

// withdrawn marks a credit that is not in force any more, for as long as an older statement of it may still come.
const withdrawn = -1

// creditKey identifies a credit by the referred customer, as the hash of their id, and by the id by which they name their referrer. That
// may be the id of one who was merged into this customer: of two credits that a customer moves from one id of the same referrer to another,
// the one that is withdrawn may come later, and must not withdraw the other.
func creditKey(referred uint64, name string) uint64 {
	return referred ^ bits.RotateLeft64(xxhash.Sum64String(name), 1)
}

// SetCredit sets the credit for one customer whom this customer referred, in place of the former one. The amount is absolute. Name is the id
// by which they name this customer, and version the offset in their partition as of which they state it.
func (s *State) SetCredit(k *ledger.Credit, name string, version int64) (changed bool) {
	referred, net := xxhash.Sum64String(k.GetReferred()), k.GetNet()
	switch {
	case k.GetErased():
		referred, net = k.GetReferredHash(), withdrawn
		s.addUnnamedCredit(k.GetNet())
	case !k.GetApproved():
		net = withdrawn
	}
	if !s.mayGetOldCredits() {
		version = 0
	}
	c := credit{creditKey(referred, name), net, version}
	i, found := s.findCredit(c.from)
	switch {
	//mutant:old-credit-holds replace case false:
	case found && version < s.credits[i].version:
		return false
	case net != withdrawn || version != 0:
		changed = !found || s.credits[i].net != net
		//mutant:credit-twice insert if found { s.credit += s.credits[i].net }
		//mutant:no-ledger-marks insert if found { c.net += s.credits[i].net }
		s.putCredit(i, found, c)
		return changed
	case found:
		s.countCredit(s.credits[i], -1)
		s.credits = slices.Delete(s.credits, i, i+1)
	}
	return found
}

func (s *State) findCredit(from uint64) (i int, found bool) {
	return slices.BinarySearchFunc(s.credits, from, func(c credit, from uint64) int { return cmp.Compare(c.from, from) })
}

// putCredit puts a credit in the place of the one with its key, which is at i if it is found.
func (s *State) putCredit(i int, found bool, c credit) {
	if found {
		s.countCredit(s.credits[i], -1)
		s.credits[i] = c
	} else {
		s.credits = slices.Insert(s.credits, i, c)
	}
	s.countCredit(c, 1)
}

// countCredit adds a credit to the sums, n times.
func (s *State) countCredit(c credit, n int64) {
	if c.net == withdrawn {
		s.ensureRare().withdrawn += n
		return
	}
	s.credit += n * c.net
}

// mayGetOldCredits reports whether a credit may come behind a newer one of the same key. What partitions send each other keeps its order, but
// what has been round a ring of merges does not.
func (s *State) mayGetOldCredits() bool {
	return s.rare != nil && (len(s.rare.merged) > 0 || s.rare.mergedAt > 0)
}

// rare is what is kept because of erased and merged customers, and what most customers have nothing of.
type rare struct {
	credits  int64  // number of credits for referred customers who were erased
	credit   int64  // sum of them, minor units
	compared uint64 // the partition's number of unname entries when the referrals, or mergedInto, were last compared with them

	mergedInto string   // the customer into whom this one was merged; empty: nobody
	mergedAt   int64    // offset of the entry that did it
	merged     []uint64 // hashes of the ids of the customers who were merged into this one, rising
	withdrawn  int64    // number of credits that are marked so

	callMark *CallMark // nil: nobody has marked the customer
}

func (s *State) hasUnnamedCredits() bool { return s.rare != nil && s.rare.credits > 0 }

func (s *State) ensureRare() *rare {
	if s.rare == nil {
		s.rare = new(rare)
	}
	return s.rare
}

// addUnnamedCredit adds a credit for an erased customer, which has no name.
func (s *State) addUnnamedCredit(net int64) {
	//mutant:erased-credit-lost insert net = 0
	u := s.ensureRare()
	u.credits++
	u.credit += net
	s.credit += net
}

// namesOthers reports whether the state names customers who may be erased.
func (s *State) namesOthers() bool { return len(s.referrals) > 0 || s.MergedInto() != "" }

// NoteNames notes that the customer's referrals name nobody who was erased up to the partition's unname entry of this number.
func (s *State) NoteNames(number uint64) {
	if s.namesOthers() && number > 0 {
		s.ensureRare().compared = number
	}
}

// MayNameErased reports whether the referrals, or whom the customer was merged into, are to be compared with unname entries after NoteNames; number is that of the latest.
func (s *State) MayNameErased(number uint64) bool {
	return s.namesOthers() && number > 0 && (s.rare == nil || s.rare.compared != number)
}

// Compared returns the number that NoteNames noted last.
func (s *State) Compared() uint64 {
	if s.rare == nil {
		return 0
	}
	return s.rare.compared
}

// ForgetReferrers drops the referrals by customers who were erased since NoteNames: the unname entries after that one which erased
// reports to have a referrer's hash. Number is that of the latest. What such a referrer was credited with is gone with them, so it is
// not taken back. It reports whether the encoded state has changed.
func (s *State) ForgetReferrers(number uint64, erased func(referrer, after uint64) bool) (changed bool) {
	if !s.MayNameErased(number) {
		return false
	}
	after := s.Compared()
	s.referrals = slices.DeleteFunc(s.referrals, func(r referral) bool { return erased(xxhash.Sum64String(r.referrer), after) })
	if to := s.Credited.To; to != "" && erased(xxhash.Sum64String(to), after) {
		s.Credited = Credited{}
	}
	s.NoteNames(number)
	return true
}
