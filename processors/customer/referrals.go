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
// voided; then the next one is. One that is approved while another is in force is rejected, and waits for that.
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
	if !next.voided && s.inForce() >= 0 && s.referrals[s.inForce()].referrer != next.referrer {
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
	i := s.inForce()
	if i < 0 {
		return ""
	}
	return s.referrals[i].referrer
}

// inForce returns the index of the first approval that is not voided after it, -1 if there is none.
func (s *State) inForce() int {
	for i := range s.referrals {
		r := &s.referrals[i]
		if r.voided {
			continue
		}
		if !slices.ContainsFunc(s.referrals[i+1:], func(v referral) bool { return v.voided && v.id == r.id }) {
			return i
		}
	}
	return -1
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
