// Package lifetimes predicts what the customers of a shop without contracts will still
// buy: who is alive, who will buy in the next quarter, how often, and what that is worth.
//
// # The story
//
// A [History] gathers a customer's purchase days from orders, refunds and cancellations
// in whatever order they come. Its [Summary] is all that the models know: repeat purchase
// days x, the time t_x from the first to the last of them, the age T, and the mean value m.
// [FitMBGNBD] and its sisters fit a model to the summaries of a base; the fitted model
// answers for one customer in constant time, without allocation. [TrainScorer] does all of
// it at once, tests it on a split inside the history, and returns the recommended [Scorer].
//
// # Models
//
//   - [MBGNBD], the default: buys at random, may stop after every purchase.
//   - [BGNBD]: as before, but nobody stops after the first purchase alone.
//   - [ParetoNBD]: may stop at any moment.
//   - [MBGCNBD]: buys at regular intervals, the more so the greater K.
//   - [GammaGamma]: what a purchase is worth.
//   - [ShiftedBetaGeometric]: subscriptions.
//
// The first four are a [PurchaseModel]; [CLV] multiplies one with a spend model.
//
// # Rules
//
// All times are in one unit, the caller's; weeks are usual, and [PriorMBGNBD] is in weeks.
// A purchase is a day with a standing order, however many orders stand on it. Money is an
// integer of minor units in a History and a float of money units in a Summary.
//
// Scores are bit for bit the same on every machine: the package has its own exponential
// and logarithm and rounds every product before it adds. They are right to a relative
// 1e-9 for parameters from 1e-3 to 1e3, x up to 100,000 and ages up to 50 years in days,
// and to 1e-6 for parameters from 1e-6 to 1e6.
//
// # What it refuses
//
// Bad input gets an error that wraps one of the package's named ones, or from a score,
// which returns none, a 0; never a panic or a NaN. Too little data gets the prior, and
// [Diagnostics] says so. The package reads no clock, file or network, logs nothing, keeps
// no state and has no randomness of its own. It does not model prices, products,
// channels or seasons, and takes spend to be independent of frequency.
package lifetimes
