package settings

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // the same days on every machine, also where it has no time zones
	"unicode/utf8"

	"github.com/cespare/xxhash/v2"

	"github.com/mainstay/mainstay/processors/alert"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/money"
)

// CustomerHash is the hash that maps a customer id to its partition. It is no setting; genesis states it so that a release with
// another hash would refuse the ledger.
const CustomerHash = "murmur2"

// ValueError is the error of a value that Step refuses.
type ValueError struct {
	Path    string // of the setting
	Message string // the bound, and the value
}

// Error names the setting.
func (e *ValueError) Error() string { return e.Path + ": " + e.Message }

var errNoValues = errors.New("settings without values")

// Default returns the values that hold until the ledger has a settings entry.
func Default() *ledger.SettingsValues {
	v := new(ledger.SettingsValues)
	for _, s := range Table() {
		if s.Holds == Revision && s.Default != nil {
			s.SetValue(v, s.Default)
		}
	}
	return v
}

// Hash returns a hash of the canonical encoding of settings, by which different settings of one revision are detected.
func Hash(v *ledger.SettingsValues) uint64 {
	blob, err := v.MarshalVT()
	if err != nil {
		panic("marshal settings: " + err.Error()) // numbers and codes cannot fail
	}
	return xxhash.Sum64(blob)
}

// SetValue sets the setting's field of v. The value has the form of Default, rates that of []*ledger.Rate. A value out of bounds
// stays out of bounds.
func (s *Setting) SetValue(v *ledger.SettingsValues, value any) { set(s.inValues(v), value) }

// SetGenesis sets the setting's field of g to a value in the form of Default. It does nothing for a setting without a field there.
func (s *Setting) SetGenesis(g *ledger.Genesis, value any) {
	if s.inGenesis != nil {
		set(s.inGenesis(g), value)
	}
}

// OfGenesis returns the setting's value in g in the form of Default; nil for a setting without a field there.
func (s *Setting) OfGenesis(g *ledger.Genesis) any {
	if s.inGenesis == nil {
		return nil
	}
	return get(s.inGenesis(g))
}

func set(field, value any) {
	switch to := field.(type) {
	case *uint32:
		*to = math.MaxUint32 // what does not fit stays out of bounds
		if n := value.(int); n >= 0 && n < math.MaxUint32 {
			*to = uint32(n)
		}
	case *int32:
		*to = math.MaxInt32
		if n := value.(int); n >= 0 && n < math.MaxInt32 {
			*to = int32(n)
		}
	case *float64:
		*to = value.(float64)
	case *bool:
		*to = value.(bool)
	case *string:
		*to = value.(string)
	case *ledger.SubscriptionEnd:
		*to = ledger.SubscriptionEnd(slices.Index(subscriptionEnds(), value.(string))) //nolint:gosec // -1 is out of bounds
	case *ledger.PortfolioClose:
		*to = ledger.PortfolioClose(slices.Index(portfolioCloses(), value.(string))) //nolint:gosec // likewise
	case *ledger.ReferralCredit:
		*to = ledger.ReferralCredit(slices.Index(referralCredits(), value.(string))) //nolint:gosec // likewise
	case *ledger.Clock:
		*to = map[string]ledger.Clock{"live": ledger.Clock_CLOCK_LIVE, "event": ledger.Clock_CLOCK_EVENT}[value.(string)]
	case *interval:
		to.set(value.(time.Duration))
	case *[]*ledger.AlertRule:
		*to = alert.Wire(value.([]alert.Rule))
	case *[]*ledger.Rate:
		*to = value.([]*ledger.Rate)
	default:
		panic(fmt.Sprintf("settings: no setting can be a %T", field))
	}
}

func get(field any) any {
	switch from := field.(type) {
	case *uint32:
		return int(*from)
	case *int32:
		return int(*from)
	case *float64:
		return *from
	case *bool:
		return *from
	case *string:
		return *from
	case *ledger.SubscriptionEnd:
		return nameOf(subscriptionEnds(), int(*from))
	case *ledger.PortfolioClose:
		return nameOf(portfolioCloses(), int(*from))
	case *ledger.ReferralCredit:
		return nameOf(referralCredits(), int(*from))
	case *ledger.Clock:
		return map[ledger.Clock]string{ledger.Clock_CLOCK_LIVE: "live", ledger.Clock_CLOCK_EVENT: "event"}[*from]
	case *interval:
		return from.duration()
	case *[]*ledger.AlertRule:
		return alert.FromWire(*from)
	case *[]*ledger.Rate:
		return *from
	default:
		panic(fmt.Sprintf("settings: no setting can be a %T", field))
	}
}

// The values of settings that the ledger holds by their number.
func subscriptionEnds() []string { return []string{"churned", "high", "ignore"} }
func portfolioCloses() []string  { return []string{"daily", "off"} }
func referralCredits() []string  { return []string{"after", "all"} }

func nameOf(names []string, number int) string {
	if number < 0 || number >= len(names) {
		return ""
	}
	return names[number]
}

// Validate returns an error that joins a *ValueError for each of the values that Step refuses.
func Validate(v *ledger.SettingsValues) error {
	if v == nil {
		return errNoValues
	}
	var errs []error
	for _, p := range Problems(v) {
		errs = append(errs, p)
	}
	return errors.Join(errs...)
}

// Problems returns what is wrong with values, in the order of the table.
func Problems(v *ledger.SettingsValues) []*ValueError {
	var all []*ValueError
	for _, s := range Table() {
		if s.Holds != Revision {
			continue
		}
		if message := s.Check(get(s.inValues(v))); message != "" {
			all = append(all, &ValueError{s.Path, message})
		}
	}
	if v.GetChurnHigh() <= v.GetChurnMedium() {
		all = append(all, &ValueError{"churn.high", fmt.Sprintf("must be above churn.medium (%v); it is %v", v.GetChurnMedium(), v.GetChurnHigh())})
	}
	return all
}

// ValidateGenesis returns an error that joins a *ValueError for each of the values with which Step refuses to begin a ledger.
func ValidateGenesis(g *ledger.Genesis) error {
	var errs []error
	for _, s := range Table() {
		if s.Holds != Genesis || s.inGenesis == nil {
			continue
		}
		if message := s.Check(get(s.inGenesis(g))); message != "" {
			errs = append(errs, &ValueError{s.Path, message})
		}
	}
	if g.GetLedgerId() == "" {
		errs = append(errs, errors.New("the ledger has no id"))
	}
	if h := g.GetCustomerHash(); h != CustomerHash {
		errs = append(errs, fmt.Errorf("the customer hash must be %s; it is %q", CustomerHash, h))
	}
	return errors.Join(errs...)
}

// Check returns what is wrong with a value by itself, "" if nothing is. The value has the form of Default.
func (s *Setting) Check(value any) string {
	ok := true
	switch v := value.(type) {
	case int:
		ok = !s.bounded() || s.within(float64(v))
	case float64:
		ok = s.within(v)
	case time.Duration:
		ok = s.within(float64(v))
	case string:
		ok = s.OneOf == nil || slices.Contains(s.OneOf, v)
	}
	switch {
	case !ok:
		return fmt.Sprintf("must be %s; it is %s", s.Bounds(), cmp.Or(shown(value), "empty"))
	case s.check != nil:
		return s.check(value)
	}
	return ""
}

// Bounds describes which values are allowed; "" if Doc describes it.
func (s *Setting) Bounds() string {
	switch _, duration := s.Default.(time.Duration); {
	case s.OneOf != nil:
		return "one of " + strings.Join(s.OneOf, ", ")
	case !s.bounded():
		return ""
	case duration:
		return "from " + Duration(time.Duration(s.Least)) + " to " + Duration(time.Duration(s.Most))
	}
	return "from " + strconv.FormatFloat(s.Least, 'f', -1, 64) + " to " + strconv.FormatFloat(s.Most, 'f', -1, 64)
}

func shown(value any) string {
	if d, ok := value.(time.Duration); ok {
		return Duration(d)
	}
	return fmt.Sprint(value)
}

// Duration writes a duration like time.Duration.String, without zero units at its end: 10m, not 10m0s.
func Duration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}

// checkTimezone refuses the machine's own zone: the answers of a ledger must not depend on the machine that folds it.
func checkTimezone(value any) string {
	if name := value.(string); name == "" || name == "Local" || !isZone(name) {
		return fmt.Sprintf("must be an IANA name like Europe/Berlin, or UTC; it is %q", name)
	}
	return ""
}

func isZone(name string) bool {
	zone, err := time.LoadLocation(name)
	return err == nil && zone != time.Local
}

// checkCurrency accepts ISO 4217 and the shipped aliases. An alias of money.currencies is refused: genesis holds the code alone, and
// the configuration of any process could change the meaning of the code. To hold the alias in genesis as well was rejected: amounts
// are held in the currency of which the alias is a multiple, and that currency can be the base.
func checkCurrency(value any) string {
	if _, ok := BaseCurrency(value.(string)); !ok {
		return fmt.Sprintf("must be a code of ISO 4217, in capitals, or IRT (genesis fixes it for the life of the ledger, so a code of money.currencies cannot be the base); it is %q", value)
	}
	return ""
}

// BaseCurrency returns the unit of a base currency; false for a code that cannot be one.
func BaseCurrency(code string) (money.Unit, bool) {
	table, err := money.NewTable(nil)
	if err != nil {
		panic(err) // the shipped aliases are valid
	}
	unit, ok := table.Lookup([]byte(code))
	return unit, ok && unit.Code == code
}

func checkInterval(value any) string {
	if d := value.(time.Duration); d%time.Second != 0 {
		return fmt.Sprintf("must be whole seconds; it is %s", Duration(d))
	}
	return ""
}

func checkRules(value any) string {
	if i, f := alert.CheckAll(value.([]alert.Rule)); f != nil {
		return fmt.Sprintf("rule %d: %s", i+1, f)
	}
	return ""
}

func checkRuleNames(value any) string {
	for _, name := range alert.NamesIn(value.(string)) {
		if !alert.IsName(name) {
			return fmt.Sprintf("must be names of rules, separated by commas; one is %q", name)
		}
	}
	return ""
}

func checkSalt(value any) string {
	const most = 64
	if salt := value.(string); len(salt) > most || !utf8.ValidString(salt) {
		return fmt.Sprintf("must be UTF-8 of at most %d bytes; it has %d", most, len(salt))
	}
	return ""
}

func checkRates(value any) string {
	all := value.([]*ledger.Rate)
	for i, r := range all {
		switch {
		case r.GetCurrency() == "" || r.GetNumerator() <= 0 || r.GetDenominator() <= 0:
			return fmt.Sprintf("rate %d: needs a currency, and a numerator and denominator above 0", i+1)
		case i > 0 && all[i-1].GetCurrency() >= r.GetCurrency():
			return fmt.Sprintf("rate %d: %s is listed twice, or not in alphabetical order", i+1, r.GetCurrency())
		}
	}
	return ""
}
