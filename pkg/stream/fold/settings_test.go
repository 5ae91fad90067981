package fold

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/stream/halt"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/memstore"
	"github.com/mainstay/mainstay/processors/settings"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// A process continues under the revision in force. It halts with the reason if its own revision was refused, and appends neither that
// revision again nor values that Step would refuse.
func TestProcessWithRefusedSettingsHalts(t *testing.T) {
	bad := settings.Default()
	bad.WakeLimit = 20_000
	of := func(revision uint64, v *ledger.SettingsValues) *ledger.Settings {
		return &ledger.Settings{Revision: revision, Hash: settings.Hash(v), Values: v}
	}
	state := processors.NewPartition(0)
	for offset, e := range []struct {
		kind    ledger.Kind
		payload interface{ MarshalVT() ([]byte, error) }
	}{
		{ledger.Kind_KIND_GENESIS, &ledger.Genesis{
			LedgerId: "id", Partitions: 1, CustomerHash: settings.CustomerHash, CustomerNormalisation: "none",
			Clock: ledger.Clock_CLOCK_LIVE, Currency: "EUR", Timezone: "UTC",
		}},
		{ledger.Kind_KIND_SETTINGS, of(1, settings.Default())},
		{ledger.Kind_KIND_SETTINGS, of(4, bad)},
	} {
		payload, err := e.payload.MarshalVT()
		require.NoError(t, err)
		_, err = processors.Step(state, int64(offset), &ledger.Entry{Version: ledger.Version, Kind: e.kind, Payload: payload}, memstore.New(), new(output.Batch))
		require.NoError(t, err)
	}
	check := func(s *ledger.Settings) error {
		c := &claim{owner: &owner{Fold: &Fold{cfg: Config{Settings: s}}}, state: state, folded: 3}
		return c.checkSettings()
	}
	require.NoError(t, check(of(1, settings.Default())), "the revision in force")
	require.NoError(t, check(of(5, settings.Default())), "a higher one replaces the refused one")
	for want, s := range map[string]*ledger.Settings{
		"settings_revision 4 is in the ledger (offset 2) but not in force": of(4, bad),
		"correct the value and raise settings_revision to 5":               of(4, settings.Default()),
		"settings_revision 5 of this process has a value out of bounds":    of(5, bad),
	} {
		err := check(s)
		require.ErrorContains(t, err, want)
		reason, _ := halt.ReasonOf(err)
		require.Equal(t, halt.SettingsConflict, reason)
	}
}
