package customer

import (
	"cmp"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"

	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// referral is an approval or a voiding, in which this customer is the one referred. They stand by time, id, kind.
type referral struct {
	id       uint64
	referrer string
	voided   bool
	at       int64
}

// mostReferrals of a customer are remembered; more are rejected.
const mostReferrals = 16

// Refer records who referred this customer. Of several approved the first by time stands until it is voided; a referral
// that was approved while another stood is not applied, then or later.
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

// referralHash stands for the id, or for the referrer where none was stated.
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

// Referrer is whose credit this customer is, empty for nobody's.
func (s *State) Referrer() string {
	i := s.replayReferrals(len(s.referrals))
	if i < 0 {
		return ""
	}
	return s.referrals[i].referrer
}

// applied says that an approval found nobody, or the same referrer, in its place.
func (s *State) applied(i int) bool {
	before := s.replayReferrals(i)
	return before < 0 || s.referrals[before].referrer == s.referrals[i].referrer
}

// trace tells the story of the first n referrals and returns which stands then, -1 for none.
func (s *State) replayReferrals(n int) int {
	stands := -1
	for i := range s.referrals[:n] {
		r := &s.referrals[i]
		switch {
		case stands < 0 && !r.voided:
			stands = i
		case stands >= 0 && r.voided && r.id == s.referrals[stands].id:
			stands = -1
		}
	}
	return stands
}

// credit is what stands for one referred customer.
type credit struct {
	from uint64 // hash of the referred customer's id
	net  int64
}

// Credit sets what stands to this customer's name for one whom he referred; it replaces what stood before.
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
