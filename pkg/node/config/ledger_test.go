package config_test

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/mainstay/mainstay/pkg/node/config"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/alert"
	"github.com/mainstay/mainstay/processors/memstore"
	"github.com/mainstay/mainstay/processors/settings"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/money"
	"github.com/mainstay/mainstay/schemas/output"
)

// A ledger without a settings entry is folded under the defaults, and every ledger of the default configuration holds this
// hash: a process of a release with another one would refuse to fold it before settings_revision is raised.
func TestDefaultsAreThoseOfTheLedger(t *testing.T) {
	v := config.Default().StepSettings()
	require.True(t, proto.Equal(settings.Default(), v))
	require.Equal(t, uint64(0x9ce8f86f327ab7d1), settings.Hash(v))
}

func TestEverySettingOfTheTableIsASetting(t *testing.T) {
	rows := map[string]settings.Setting{}
	for _, row := range settings.Table() {
		require.NotContains(t, rows, row.Path)
		rows[row.Path] = row
	}
	for _, s := range config.Settings() {
		if s.Holds == "" {
			require.NotContains(t, rows, s.Path)
			continue
		}
		require.Equal(t, rows[s.Path].Doc, s.Doc)
		require.Equal(t, rows[s.Path].Holds, s.Holds)
		delete(rows, s.Path)
	}
	require.Empty(t, rows, "rows without a setting")
}

func TestGenesisIsAdopted(t *testing.T) {
	c := config.Default()
	c.Clock, c.Timezone, c.Money.Currency, c.Ledger.Partitions, c.Ledger.CustomerNormalisation = "event", "Asia/Tehran", "IRT", 3, "lower"
	adopted := config.Default()
	adopted.AdoptGenesis(c.Genesis())
	require.Equal(t, c, adopted)
}

// Whatever the configuration accepts, Step accepts; and what the configuration refuses of one setting of the ledger, the
// check before every append refuses too. The space is each setting's edges, what lies just beyond them, and what lies between.
func TestConfigurationAndStepAcceptTheSame(t *testing.T) {
	t.Parallel()
	var accepted, refused int
	rapid.Check(t, func(t *rapid.T) {
		c := config.Default()
		if rapid.Bool().Draw(t, "alias") {
			c.Money.Currencies["TMN"] = money.Alias{As: "IRR", Times: 10}
		}
		for range rapid.IntRange(1, 3).Draw(t, "changes") {
			row := rapid.SampledFrom(settings.Table()).Draw(t, "row")
			draw(t, &c, row)
		}
		err := c.Validate()
		if foldable := fold(c); err == nil {
			accepted++
			if foldable != nil {
				t.Fatalf("the configuration is valid, and Step refuses it: %v", foldable)
			}
		} else {
			refused++
			// The name of the ledger and the text of a rate are not in the ledger. A rule that is named and is not there is most likely misspelt, so it is
			// refused to an operator; Step gives no alert of it a group.
			known := slices.ContainsFunc([]string{"namespace: ", "money.rates: ", "alerts.control_rules: no rule of alerts.rules is named"}, func(cause string) bool {
				return strings.Contains(err.Error(), cause)
			})
			if foldable == nil && !known {
				t.Fatalf("Step accepts what the configuration refuses: %v", err)
			}
		}
	})
	require.Positive(t, accepted)
	require.Positive(t, refused)
}

// draw sets a setting to a value on, beyond or between its bounds.
func draw(t *rapid.T, c *config.Config, row settings.Setting) {
	field := reflect.ValueOf(c).Elem()
	for part := range strings.SplitSeq(row.Path, ".") {
		for i := range field.NumField() {
			if field.Type().Field(i).Tag.Get("yaml") == part {
				field = field.Field(i)
				break
			}
		}
	}
	least, most := row.Least, row.Most
	var value any
	switch field.Interface().(type) {
	case int:
		value = rapid.OneOf(rapid.SampledFrom([]int{int(least), int(most), int(least) - 1, int(most) + 1, 0, 1 << 40, -1 << 40, 1<<32 + int(least)}), rapid.IntRange(int(least), int(most))).Draw(t, row.Path)
	case float64:
		value = rapid.OneOf(rapid.SampledFrom([]float64{least, most, math.Nextafter(least, -1), math.Nextafter(most, 1e9), 0, 2, math.NaN(), math.Inf(1)}), rapid.Float64Range(least, most)).Draw(t, row.Path)
	case bool:
		value = rapid.Bool().Draw(t, row.Path)
	case time.Duration:
		value = rapid.SampledFrom([]time.Duration{0, time.Second, time.Second - 1, 1500 * time.Millisecond, 90 * time.Second, time.Hour, 168 * time.Hour, 168*time.Hour + time.Second, -time.Second, math.MaxInt64}).Draw(t, row.Path)
	case string:
		value = rapid.SampledFrom(append([]string{"", "x", "usd", "USD", "IRT", "TMN", "XXQ", "KWD", "UTC", "Local", "Asia/Tehran", "a b"}, row.OneOf...)).Draw(t, row.Path)
	case map[string]string:
		value = rapid.MapOf(rapid.SampledFrom([]string{"EUR", "USD", "IRR", "IRT", "TMN", "JPY", "eur"}), rapid.SampledFrom([]string{"1.08", "0", "0.000000000001", "999999999999.999999999999", "-1", "1e3", ""})).Draw(t, row.Path)
	case config.Rules:
		all := alert.Shipped()
		broken := all[0]
		broken.Metric = "height"
		value = rapid.SampledFrom([]config.Rules{{}, all, append(alert.Shipped(), broken), append(alert.Shipped(), all[0]), all[:1]}).Draw(t, row.Path)
	default:
		t.Fatalf("%s: no values are known for a %s", row.Path, field.Type())
	}
	field.Set(reflect.ValueOf(value))
}

// fold appends genesis and settings as a process does, and folds them. Its error is what stops them.
func fold(c config.Config) error {
	g := c.Genesis()
	g.LedgerId = "id"
	v := c.StepSettings()
	p := processors.NewPartition(0)
	for offset, e := range []struct {
		kind    ledger.Kind
		payload interface{ MarshalVT() ([]byte, error) }
	}{{ledger.Kind_KIND_GENESIS, g}, {ledger.Kind_KIND_SETTINGS, &ledger.Settings{Revision: 1, Hash: settings.Hash(v), Values: v}}} {
		payload, err := e.payload.MarshalVT()
		if err != nil {
			return err
		}
		verdict, err := processors.Step(p, int64(offset), &ledger.Entry{Version: ledger.Version, Kind: e.kind, Payload: payload}, memstore.New(), new(output.Batch))
		if err != nil {
			return err
		}
		if verdict.Result != processors.Applied {
			return fmt.Errorf("%s: %w", verdict.Result, p.RefusedSettings().Reason)
		}
	}
	return nil
}
