// Package backtest owns the answer to "how good would the predictions have been here?": it splits a shop's history at a
// day, fits every model to what came before, lets it predict what came after, and measures. Beside the models stand the
// simple rules that anybody would try first. One model is recommended, by a stated rule, with a sentence on how far to
// trust it; Report draws it all as one page of HTML.
//
// The conventions, so that the figures can be compared with the literature's:
//   - Periods are days, times are weeks: a purchase is a day on which somebody bought; T is the split less the first
//     purchase day, divided by 7. The day of the split belongs to the first part, that of the end to the second.
//   - The customers are those who had bought by the split. Nobody who came later counts, neither as promised nor as come.
//   - Models are fitted by maximum likelihood, as in the literature, where a hundred repeat buyers and a likelihood that
//     has a maximum allow it, and otherwise with the weak priors of pkg/lifetimes. The scorer is trained as it always is.
//
// It refuses histories on which nothing can be measured, and to look after the split for anything but measuring and
// recommending. It knows no clock, network, file or flag, and no customer by name.
//
// Read backtest.go for the story, measures.go for what each figure is, recommend.go for the rule.
package backtest
