// Package backtest owns the evaluation of the models on a shop's own history: it splits the history at a day, fits every model to
// the first part (calibration), predicts the second part (holdout), and measures the error. Simple rules serve as baselines. One
// model is recommended by a stated rule, with a sentence on how far its predictions can be trusted. Report renders the result as
// one HTML page.
//
// The conventions, so that the figures can be compared with the literature:
//   - Purchases are counted in days, times in weeks: several orders of a customer on one day are one purchase; T is the split minus
//     the first purchase day, divided by 7. The day of the split belongs to the first part, the last day to the second.
//   - Only customers with a purchase up to the split are included, in predictions and in observations.
//   - Models are fitted by maximum likelihood, as in the literature, if there are at least a hundred repeat buyers and the likelihood
//     has a maximum, otherwise with the weak priors of pkg/lifetimes. The scorer is always trained in the same way.
//
// It refuses histories on which nothing can be measured, and to use the second part for anything but measuring and recommending. It
// uses no clock, network, file or flag, and no customer ids.
//
// Start with backtest.go; measures.go defines the figures, recommend.go the rule.
package backtest
