package processors_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/settings"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// revise appends a settings entry, whatever its values, and returns what became of it.
func (w *world) revise(revision uint64, v *ledger.SettingsValues) processors.Result {
	blob, err := (&ledger.Settings{Revision: revision, Hash: settings.Hash(v), Values: v}).MarshalVT()
	require.NoError(w.t, err)
	return w.fold(0, &ledger.Entry{Version: 1, Kind: ledger.Kind_KIND_SETTINGS, Payload: blob}).Result
}

// The partition goes on under the settings before a refused entry, remembers it, and a higher revision mends it. w.fold takes
// the state through its encoding each time.
func TestRefusedSettingsAreSkipped(t *testing.T) {
	w := newWorld(t, genesis(1, ledger.Clock_CLOCK_LIVE))
	good, bad := settings.Default(), settings.Default()
	good.MemoryDays, bad.WakeLimit = 33, 20_000
	inForce := func() (uint64, uint32) {
		revision, _ := w.parts[0].state.SettingsRevision()
		return revision, w.parts[0].state.Settings().GetMemoryDays()
	}
	require.Equal(t, processors.Applied, w.revise(2, good))
	require.Nil(t, w.parts[0].state.RefusedSettings())

	at := ms("2024-01-01")
	w.event("c", purchase("o1", 1000, at))
	w.takeOutputs()
	require.Equal(t, processors.SettingsRefused, w.revise(5, bad))
	require.Empty(t, w.takeOutputs(), "nobody is rescored under settings that are not in force")
	_, _, rescoring := w.parts[0].state.Rescoring()
	require.False(t, rescoring)
	revision, days := inForce()
	require.EqualValues(t, 2, revision)
	require.EqualValues(t, 33, days)
	refused := w.parts[0].state.RefusedSettings()
	require.EqualValues(t, 5, refused.Revision)
	require.Equal(t, settings.Hash(bad), refused.Hash)
	require.Equal(t, w.parts[0].state.Offset(), refused.Offset)
	require.EqualError(t, refused.Reason, "fold.wake_limit: must be from 1 to 10000; it is 20000")

	require.Equal(t, processors.Applied, w.event("c", purchase("o2", 1000, at+day)).Result)
	require.EqualValues(t, 2000, w.scores("c").CLV.Historic)

	first := refused.Offset
	require.Equal(t, processors.SettingsRefused, w.revise(5, bad), "a second owner may have appended it too")
	require.Equal(t, first, w.parts[0].state.RefusedSettings().Offset)
	require.Equal(t, processors.SettingsRefused, w.revise(6, nil), "no values")
	require.EqualValues(t, 6, w.parts[0].state.RefusedSettings().Revision)
	require.Equal(t, processors.Applied, w.revise(3, good), "above the revision in force, though not above the refused one")
	require.EqualValues(t, 6, w.parts[0].state.RefusedSettings().Revision, "not mended by a lower revision")

	good.MemoryDays = 44
	require.Equal(t, processors.Applied, w.revise(7, good))
	require.Nil(t, w.parts[0].state.RefusedSettings(), "a higher revision mends it")
	revision, days = inForce()
	require.EqualValues(t, 7, revision)
	require.EqualValues(t, 44, days)
}

// Settings may be refused before any were in force: the defaults are what comes before them.
func TestRefusedFirstSettings(t *testing.T) {
	w := newWorld(t, genesis(1, ledger.Clock_CLOCK_LIVE))
	bad := settings.Default()
	bad.ChurnMaterial = 0
	require.Equal(t, processors.SettingsRefused, w.revise(1, bad))
	require.True(t, proto.Equal(settings.Default(), w.parts[0].state.Settings()))
	require.Equal(t, processors.Applied, w.event("c", purchase("o1", 1000, ms("2024-01-01"))).Result)
}

// What is no settings message at all still stops the partition: a newer release may have written it.
func TestUnreadableSettingsHalt(t *testing.T) {
	w := newWorld(t, genesis(1, ledger.Clock_CLOCK_LIVE))
	p := w.parts[0]
	_, err := processors.Step(p.state, p.offset+1, &ledger.Entry{Version: 1, Kind: ledger.Kind_KIND_SETTINGS, Payload: []byte{0xff}}, p.store, new(output.Batch))
	require.ErrorIs(t, err, processors.ErrMalformed)
}
