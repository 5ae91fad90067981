package faulttest

import "github.com/cespare/xxhash/v2"

// Some seeds' shops leave a part of their customers alone, so that they see what acting on alerts achieves.

// controlShare is the share of the customers of a seed's shop on whose alerts nobody acts.
func controlShare(seed uint64) float64 { return []float64{0, .25, .5}[seed%7%3] }

// groupOf is the group that every alert of a customer must state. The shares are quarters, so the upper bits of the hash decide.
func groupOf(ledgerID, rule, customer string, share float64) string {
	const quarters = 62 // bits below the upper two
	switch quarter := xxhash.Sum64String(ledgerID+"\x00"+rule+"\x00"+customer) >> quarters; {
	case share == 0:
		return ""
	case float64(quarter) < share*4:
		return "control"
	}
	return "treated"
}
