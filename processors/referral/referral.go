// Package referral owns the credits of referrers: for each referred customer the referrer is credited with the net
// revenue that follows the referral, as an absolute amount that is sent to the referrer's partition whenever it changes.
//
// It refuses to change the referrer, whose state may be in another partition, and to pass credits on: a referrer is credited only
// for customers whom they referred themselves.
package referral

import (
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// UpdateCredits calls send for each credit that has changed: with none for the former referrer if the referrer has changed, and
// with the amount for the present one if the referrer or the amount has changed.
func UpdateCredits(t *customer.Terms, own string, s *customer.State, send func(referrer string, c *ledger.Credit)) {
	referrer, net := s.Referrer(), s.CreditedNet(t)
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
