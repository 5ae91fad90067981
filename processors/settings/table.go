// Package settings owns the one table of the settings that answers depend on: those that Step reads, which the ledger holds by
// revision, and those that genesis fixes for the life of a ledger. The configuration takes its defaults, bounds and documentation
// from this table, writes its values into the ledger through it, and Step validates a value by it. So Step accepts every value that
// the configuration accepts.
//
// It refuses to know where a value comes from, and the settings of a process, which no answer depends on.
package settings

import (
	"math"
	"sync"
	"time"

	"github.com/mainstay/mainstay/processors/alert"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// Holds states how long the value of a setting is in force.
type Holds string

// The two ways in which the ledger holds a setting.
const (
	Genesis  Holds = "genesis"  // fixed when the ledger is created
	Revision Holds = "revision" // from a settings entry on, until an entry with a higher revision
)

// Setting is a row of the table.
type Setting struct {
	Path    string // in the configuration: fold.wake_limit
	Holds   Holds
	Doc     string
	Default any // int, float64, bool, string, time.Duration or []alert.Rule; nil: empty

	// Least and Most bound a number, and a duration in nanoseconds. Both are 0 where the setting has no such bounds.
	Least, Most float64
	OneOf       []string // the values allowed of a text; nil: see check

	// One of the two returns a pointer to the setting's field in the ledger, neither for the namespace, which is the name of
	// the ledger and not a part of it.
	inValues  func(*ledger.SettingsValues) any
	inGenesis func(*ledger.Genesis) any

	// check returns what else is wrong with a value that lies within the bounds; nil where nothing can be.
	check func(any) string
}

// Table returns all settings that the ledger holds. It must not be changed. Defaults and bounds are a part of the logic: a
// ledger without a settings entry is folded under the defaults, and an entry out of bounds is skipped. Whoever changes one
// therefore raises processors.LogicVersion. A new row needs no new version if 0 lies within its bounds and keeps the answers,
// since 0 is what entries that older releases wrote have there.
var Table = sync.OnceValue(func() []Setting { return append(genesis(), revision()...) }) //nolint:gochecknoglobals // a constant that is computed

func genesis() []Setting {
	text := func(path, value string, oneOf []string, check func(any) string, in func(*ledger.Genesis) any, doc string) Setting {
		return Setting{Path: path, Holds: Genesis, Doc: doc, Default: value, OneOf: oneOf, check: check, inGenesis: in}
	}
	return []Setting{
		text("namespace", "mainstay", nil, nil, nil,
			"Prefix of the names of the ledger, output topics, dead-letter topics, consumer groups, transactional ids and Redis keys: 1 to 100 letters, digits, dots, dashes or underscores. Deployments with different namespaces share nothing."),
		text("clock", "live", []string{"live", "event"}, nil, func(g *ledger.Genesis) any { return &g.Clock },
			"Source of time: live uses the Kafka timestamp of the input record, event the time that the event itself states (history, backtests)."),
		text("timezone", "UTC", nil, checkTimezone, func(g *ledger.Genesis) any { return &g.Timezone },
			"IANA name of the time zone in which days begin and end."),
		{
			Path: "ledger.partitions", Holds: Genesis, Default: 8, Least: 1, Most: 4096, inGenesis: func(g *ledger.Genesis) any { return &g.Partitions },
			Doc: "Number of partitions of the ledger and of every output topic: the most processes that can fold at the same time.",
		},
		text("ledger.customer_normalisation", "none", []string{"none", "trim", "lower"}, nil, func(g *ledger.Genesis) any { return &g.CustomerNormalisation },
			"Normalisation of customer ids before they are compared: none, trim (remove white space at both ends), or lower (trim and convert ASCII letters to lower case)."),
		text("money.currency", "USD", nil, checkCurrency, func(g *ledger.Genesis) any { return &g.Currency },
			"Base currency, in which customers are valued: an ISO 4217 code, or IRT."),
	}
}

func revision() []Setting {
	type values = ledger.SettingsValues
	whole := func(path string, value int, least, most float64, in func(*values) any, doc string) Setting {
		return Setting{Path: path, Holds: Revision, Doc: doc, Default: value, Least: least, Most: most, inValues: in}
	}
	number := func(path string, value, least, most float64, in func(*values) any, doc string) Setting {
		return Setting{Path: path, Holds: Revision, Doc: doc, Default: value, Least: least, Most: most, inValues: in}
	}
	toggle := func(path string, in func(*values) any, doc string) Setting {
		return Setting{Path: path, Holds: Revision, Doc: doc, Default: false, inValues: in}
	}
	text := func(path string, check func(any) string, in func(*values) any, doc string) Setting {
		return Setting{Path: path, Holds: Revision, Doc: doc, Default: "", check: check, inValues: in}
	}
	oneOf := func(path string, names []string, in func(*values) any, doc string) Setting {
		return Setting{Path: path, Holds: Revision, Doc: doc, Default: names[0], OneOf: names, inValues: in}
	}
	const (
		century  = 36500 // days
		decade   = 3650  // days
		billions = 1_000_000_000
	)
	return []Setting{
		whole("fold.wake_limit", 1000, 1, 10_000, func(v *values) any { return &v.WakeLimit },
			"Maximum number of customers that one entry of the ledger wakes or rescores; the rest follows in further entries. Bounds the size of a transaction."),
		{
			Path: "money.rates", Holds: Revision, inValues: func(v *values) any { return &v.Rates }, check: checkRates,
			Doc: "Value of one unit of other currencies in the base currency, as exact decimals. An event in a currency without a rate is rejected.",
		},
		number("churn.medium", .33, 0, 1, func(v *values) any { return &v.ChurnMedium },
			"Churn probability from which a customer is in class medium."),
		number("churn.high", .66, 0, 1, func(v *values) any { return &v.ChurnHigh },
			"Churn probability from which a customer is in class high; above churn.medium."),
		whole("churn.grace_days", 30, 0, decade, func(v *values) any { return &v.ChurnGraceDays },
			"Days after an order in which a customer is always in class low."),
		whole("churn.purchase_horizon_days", 90, 1, decade, func(v *values) any { return &v.PurchaseHorizonDays },
			"Days that probability_of_purchase_in_horizon looks ahead."),
		// A change of 0 would be reached at once, and so wake the customer again every millisecond.
		number("churn.material", .05, .001, 1, func(v *values) any { return &v.ChurnMaterial },
			"Change of the churn probability that is published. A change of class is always published."),
		oneOf("churn.subscription_end", subscriptionEnds(), func(v *values) any { return &v.ChurnSubscriptionEnd },
			"Effect of a cancelled subscription on the class: churned (high from the cancellation on, churned from its end until the next order), high (until the next order after its end), or ignore."),
		whole("clv.prediction_horizon_days", 365, 1, decade, func(v *values) any { return &v.PredictionHorizonDays },
			"Days that predicted_clv looks ahead."),
		number("clv.discount_rate_annual", 0, 0, 10, func(v *values) any { return &v.DiscountRateAnnual },
			"Yearly rate at which future value is discounted; 0.1 is 10%."),
		number("clv.margin", 1, 0, 1, func(v *values) any { return &v.Margin },
			"Share of revenue that counts in predicted_clv; 1 counts revenue."),
		// Above 1 a customer whose value falls to nothing would not be published.
		number("clv.material", .05, 0, 1, func(v *values) any { return &v.ClvMaterial },
			"Relative change of total_clv that is published."),
		number("simple_clv.lifespan_years", 2, .01, 100, func(v *values) any { return &v.SimpleClvLifespanYears },
			"Assumed lifetime of a customer in years: simple_clv = average order value x orders per year x lifetime."),
		oneOf("referral.credit", referralCredits(), func(v *values) any { return &v.ReferralCredit },
			"Which payments of a referred customer count in the referrer's referral_value: after (from the day of the referral on) or all."),
		whole("surveys.window_days", 365, 1, century, func(v *values) any { return &v.SurveyWindowDays },
			"Days for which a response counts towards promoter status."),
		toggle("surveys.keep_comments", func(v *values) any { return &v.KeepComments },
			"Keep free text of surveys in the ledger, permanently, and publish it. Off: intake drops it."),
		whole("memory.days", 400, 1, century, func(v *values) any { return &v.MemoryDays },
			"Days for which orders, and refunds that wait for their order, are remembered."),
		whole("memory.orders", 1024, 1, 1<<16, func(v *values) any { return &v.MemoryOrders },
			"Maximum number of remembered orders per customer; the newest are kept. Each costs 12 to 15 bytes of state."),
		whole("dedup.days", 30, 1, century, func(v *values) any { return &v.DedupDays },
			"Days within which a repeated event_id is dropped."),
		whole("dedup.events", 1024, 1, 1<<16, func(v *values) any { return &v.DedupEvents },
			"Maximum number of remembered event ids per customer; the newest are kept. Each costs 9 bytes of state."),
		whole("tiers.min_customers", 100, 1, billions, func(v *values) any { return &v.TiersMinCustomers },
			"Number of customers with a standing order below which there are no value tiers."),
		number("tiers.redraw_share", .01, 0, 1, func(v *values) any { return &v.TiersRedrawShare },
			"Share of the customers whose tier must change for new tier bounds between the closes of two days; at most once an hour. Below 500 customers bounds follow every change."),
		{
			Path: "portfolio.contribution_interval", Holds: Revision, Default: 15 * time.Minute, Least: float64(time.Second), Most: float64(168 * time.Hour),
			inValues: func(v *values) any { return (*interval)(v) }, check: checkInterval,
			Doc: "Time between two contributions of a partition to the totals of the customer base, in whole seconds of the ledger's clock.",
		},
		oneOf("portfolio.close", portfolioCloses(), func(v *values) any { return &v.PortfolioClose },
			"Whether every customer is valued at the end of each civil day, for final totals and exact value tiers: daily or off. Off saves the cost while years of history are folded."),
		{
			Path: "alerts.rules", Holds: Revision, Default: alert.Shipped(), inValues: func(v *values) any { return &v.AlertRules }, check: checkRules,
			Doc: "Alert rules: a list in the form of alerts.rules_file, or the word shipped (docs/measures.md describes both).",
		},
		toggle("alerts.publish_baseline", func(v *values) any { return &v.AlertsPublishBaseline },
			"Also publish episodes that open silently (history, refit, new thresholds, changed rules), with initial true."),
		whole("alerts.late_hours", 48, 0, century*24, func(v *values) any { return &v.AlertsLateHours },
			"Age in hours at which an event counts as history when it is folded: it changes the state and raises no alert."),
		whole("alerts.fuse_raises", 100, 0, billions, func(v *values) any { return &v.AlertsFuseRaises },
			"Number of alerts of one rule that are always published per partition and hour of the ledger."),
		number("alerts.fuse_share", .01, 0, 1, func(v *values) any { return &v.AlertsFuseShare },
			"Share of the partition's customers whose alerts are published likewise; the greater of the two limits applies. Alerts beyond it are recorded as suppressed."),
		number("alerts.control_share", 0, 0, .5, func(v *values) any { return &v.AlertsControlShare },
			"Share of the customers on whose alerts nobody acts, drawn for each rule by a hash of the customer id. Alerts then state their group, treated or control, and mainstay report lift compares the two. 0: no groups."),
		text("alerts.control_rules", checkRuleNames, func(v *values) any { return &v.AlertsControlRules },
			"Names of the rules whose alerts have groups, separated by commas: those that somebody acts on. Empty: all rules."),
		text("alerts.control_salt", checkSalt, func(v *values) any { return &v.AlertsControlSalt },
			"Text that the hash begins with, at most 64 bytes. Another one draws other customers. Empty: the id of the ledger; a copy keeps that of the first."),
	}
}

// interval is the contribution interval, which the ledger holds in minutes if it is a whole number of them, and in seconds
// otherwise.
type interval ledger.SettingsValues

func (v *interval) duration() time.Duration {
	if v.ContributionSeconds > 0 {
		return time.Duration(v.ContributionSeconds) * time.Second
	}
	return time.Duration(v.ContributionMinutes) * time.Minute
}

func (v *interval) set(d time.Duration) {
	if d%time.Minute == 0 && d >= 0 {
		v.ContributionMinutes, v.ContributionSeconds = uint32(d/time.Minute), 0 //nolint:gosec // the longest duration has fewer minutes
		return
	}
	v.ContributionMinutes, v.ContributionSeconds = 1, math.MaxUint32 // what does not fit stays out of bounds
	if d >= 0 && d < math.MaxUint32*time.Second && d%time.Second == 0 {
		v.ContributionSeconds = uint32(d / time.Second)
	}
}

// bounded reports whether the setting's numbers have bounds.
func (s *Setting) bounded() bool { return s.Least != 0 || s.Most != 0 }

// within reports whether a number is within the bounds; NaN is not.
func (s *Setting) within(n float64) bool { return !math.IsNaN(n) && n >= s.Least && n <= s.Most }
