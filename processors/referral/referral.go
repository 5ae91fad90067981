// Package referral keeps referrers credited with what those whom they referred have brought: an absolute amount for each,
// sent to the referrer's partition whenever it changes.
//
// It refuses to change the referrer itself, who may live in another partition, and to credit credits: one generation only.
package referral

import (
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// UpdateCredits calls send for each credit that has changed: for the former referrer when another stands now, and for the present
// one when they are new or the realised net revenue has changed.
func UpdateCredits(own string, s *customer.State, send func(referrer string, c *ledger.Credit)) {
	referrer, net := s.Referrer(), max(0, s.Historic())
	if s.Credited.To == "" && referrer == "" {
		return
	}
	if s.Credited.To != "" && s.Credited.To != referrer {
		send(s.Credited.To, &ledger.Credit{Referred: own})
		s.Credited = customer.Credited{}
	}
	if referrer == "" || s.Credited.To == referrer && s.Credited.Net == net {
		return
	}
	send(referrer, &ledger.Credit{Referred: own, Net: net, Approved: true})
	s.Credited = customer.Credited{To: referrer, Net: net}
}
