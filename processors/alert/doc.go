// Package alert owns episodes: which metric a rule evaluates, when its episode opens and closes, and what the alert states.
//
// An episode is pending while the metric has met the threshold for less than the rule's duration, then fires, and ends when the
// metric crosses the clear threshold; during a cool-down no other episode fires. The time at which silence alone moves a metric
// across a threshold is known in closed form, so the start of an episode does not depend on how often ticks arrive.
//
// It refuses alerts for changes that the customer has not caused: late events, a refit, new thresholds and changed rules open
// episodes without publishing an alert (baseline). It also refuses floods of alerts: see Fuses.
package alert
