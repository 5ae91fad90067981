// Package lifetimes owns models of purchases without contracts. They predict for each
// customer of a shop whether they are still active, whether and how often they will buy
// within a time span, and the value of these purchases (customer lifetime value).
//
// # Overview
//
// A [History] collects the purchase days of a customer from orders, refunds and
// cancellations in any order of arrival. Its [Summary] is the input of the models: the
// number x of repeat purchase days, the time t_x from the first to the last purchase day,
// the age T, and the mean value m. [FitMBGNBD] and the other fits estimate the parameters
// of a model from the summaries of a customer base; a fitted model scores a customer in
// constant time, without allocation. [TrainScorer] fits several models, tests them on
// splits inside the history, and returns the recommended [Scorer].
//
// # Models
//
//   - [MBGNBD], the default: purchases at random times; a customer may stop after any purchase.
//   - [BGNBD]: as MBGNBD, but no customer stops after the first purchase.
//   - [ParetoNBD]: purchases at random times; a customer may stop at any time.
//   - [MBGCNBD]: as MBGNBD, with more regular intervals between purchases for greater K.
//   - [GammaGamma]: the value of a purchase.
//   - [ShiftedBetaGeometric]: renewals of subscriptions.
//
// The first four implement [PurchaseModel]; [CLV] combines one with a spend model.
//
// # Rules
//
// All times are in one unit, chosen by the caller; weeks are usual, and [PriorMBGNBD] is in
// weeks. A purchase is a day with at least one order that was not cancelled, whatever their
// number. Money is an integer in minor units in a History, and a float in major units in a
// Summary.
//
// Scores are bit for bit the same on every machine: the package has its own exponential
// and logarithm and rounds every product before adding it. Their relative error is below
// 1e-9 for parameters from 1e-3 to 1e3, x up to 100,000 and ages up to 50 years in days,
// and below 1e-6 for parameters from 1e-6 to 1e6.
//
// # What it refuses
//
// Invalid input is answered with an error that wraps one of the package's errors; scores,
// which return no error, are 0. There is never a panic or a NaN. With too little data a
// fit returns the prior, as [Diagnostics] says. The package reads no clock, file or network,
// does not log, and has neither state nor randomness. It does not model prices, products,
// channels or seasons, and assumes that spend is independent of frequency.
package lifetimes
