// Package season owns the season of a shop: how many times as often as on average its customers buy on a civil day, all alike, and the
// clock that runs at that pace.
//
// In MBG/NBD and BG/NBD a customer stops only at a purchase. So a common pace s(day) of all purchase rates changes nothing but the clock:
// in the time tau = integral of s, customers buy as the model without a season has it. Every formula of pkg/lifetimes stays as it is;
// callers convert times with a Clock before and after. A discount is of civil time.
//
// A pace is a product: a weekly profile, a yearly shape, named events that recur by a rule of some calendar, and campaigns of the shop.
// It is scaled such that the mean over each civil year is 1, so at the beginning of a year the clock shows civil time.
//
// It refuses to estimate a season (pkg/models/seasonality does), a pace that is not positive, and campaigns that overlap. It reads no
// clock, and computes with additions, products and quotients only, each rounded: a Clock is bit for bit the same on every machine.
package season
