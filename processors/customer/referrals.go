package customer

import (
	"cmp"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"

	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// referral is an approved or voided referral in which this customer is the one referred.
type referral struct {
	id       uint64 // hash of the referral id, or of the referrer if no id was stated
	referrer string // customer id
	voided   bool   // false: approved
	at       int64  // time of the event, ms
}

// mostReferrals bounds the referrals kept of a customer; more are rejected.
const mostReferrals = 16

// RecordReferral records a referral of this customer. Of several approved referrals the first by time is in force until it is
// voided; one that was approved while another was in force is never applied.
func (s *State) RecordReferral(own string, e *ledger.Event, r *ledger.Referral) Change {
	if r.GetReferrer() == own {
		return rejected(output.SelfReferral)
	}
	if r.GetStatus() == ledger.ReferralStatus_REFERRAL_STATUS_PENDING {
		return Change{}
	}
	next := referral{
		id: referralHash(r), referrer: r.GetReferrer(), at: e.GetOccurredAt(),
		voided: r.GetStatus() == ledger.ReferralStatus_REFERRAL_STATUS_VOIDED,
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
	if !next.voided && !s.applied(i) {
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
	voided := func(r referral) int {
		if r.voided {
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.id, b.id), cmp.Compare(voided(a), voided(b)), strings.Compare(a.referrer, b.referrer))
}

// Referrer returns the id of the customer whose referral of this customer is in force; empty for none.
func (s *State) Referrer() string {
	i := s.replayReferrals(len(s.referrals))
	if i < 0 {
		return ""
	}
	return s.referrals[i].referrer
}

// applied reports whether, at approval i, no referral was in force, or one by the same referrer.
func (s *State) applied(i int) bool {
	before := s.replayReferrals(i)
	return before < 0 || s.referrals[before].referrer == s.referrals[i].referrer
}

// replayReferrals replays the first n referrals and returns the index of the one in force after them, -1 for none.
func (s *State) replayReferrals(n int) int {
	current := -1
	for i := range s.referrals[:n] {
		r := &s.referrals[i]
		switch {
		case current < 0 && !r.voided:
			current = i
		case current >= 0 && r.voided && r.id == s.referrals[current].id:
			current = -1
		}
	}
	return current
}

// credit is the credit for one customer whom this customer referred.
type credit struct {
	from uint64 // hash of the referred customer's id
	net  int64  // their realised net revenue, at least 0, minor units
}

// SetCredit sets the credit for one customer whom this customer referred, in place of the former one. The amount is absolute.
func (s *State) SetCredit(c *ledger.Credit) (changed bool) {
	from := xxhash.Sum64String(c.GetReferred())
	i, found := slices.BinarySearchFunc(s.credits, from, func(c credit, from uint64) int { return cmp.Compare(c.from, from) })
	switch {
	case found && !c.GetApproved():
		s.credit -= s.credits[i].net
		s.credits = slices.Delete(s.credits, i, i+1)
	case found && s.credits[i].net != c.GetNet():
		//mutant:no-ledger-marks,credit-twice replace s.credit += c.GetNet()
		s.credit += c.GetNet() - s.credits[i].net
		//mutant:no-ledger-marks replace s.credits[i].net += c.GetNet()
		s.credits[i].net = c.GetNet()
	case !found && c.GetApproved():
		s.credit += c.GetNet()
		s.credits = slices.Insert(s.credits, i, credit{from, c.GetNet()})
	default:
		return false
	}
	return true
}
