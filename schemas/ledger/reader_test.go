package ledger

import (
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"
)

func drawEntry(t *rapid.T) *Entry {
	e := &Entry{
		Version: rapid.Uint32().Draw(t, "version"), Kind: Kind(rapid.Int32Range(0, 99).Draw(t, "kind")), Customer: rapid.String().Draw(t, "customer"),
		PayloadKeyId: rapid.Uint32().Draw(t, "key"), Time: rapid.Int64().Draw(t, "time"), Payload: rapid.SliceOf(rapid.Byte()).Draw(t, "payload"),
	}
	if rapid.Bool().Draw(t, "has origin") {
		e.Origin = &Origin{Topic: rapid.String().Draw(t, "topic"), Offset: rapid.Int64().Draw(t, "offset"), Ordinal: rapid.Uint32().Draw(t, "ordinal")}
	}
	if rapid.Bool().Draw(t, "has after") {
		e.After = &Mark{Offset: rapid.Int64().Draw(t, "after"), Ordinal: rapid.Uint32().Draw(t, "after's ordinal")}
	}
	return e
}

// What a Reader says is what the generated decoder says, with nothing left over from the entry before.
func TestReaderReadsWhatWasWritten(t *testing.T) {
	var r Reader
	rapid.Check(t, func(t *rapid.T) {
		want := drawEntry(t)
		value, err := want.MarshalVT()
		require.NoError(t, err)
		got, err := r.Read(value)
		require.NoError(t, err)
		require.True(t, proto.Equal(want, got), "%v, not %v", got, want)
		kind, err := KindOf(value)
		require.NoError(t, err)
		require.Equal(t, want.GetKind(), kind)
		customer, err := CustomerOf(value)
		require.NoError(t, err)
		require.Equal(t, want.GetCustomer(), string(customer))
	})
}

// FuzzRead: whatever the bytes, a Reader says what the generated decoder says, or refuses.
func FuzzRead(f *testing.F) {
	value, err := (&Entry{Version: 1, Kind: Kind_KIND_EVENT, Customer: "c", Origin: &Origin{Topic: "t", Offset: 7}, After: &Mark{Offset: 3}, Payload: []byte("p")}).MarshalVT()
	require.NoError(f, err)
	f.Add(value)
	f.Fuzz(func(t *testing.T, value []byte) {
		var r Reader
		var want Entry
		got, err := r.Read(value)
		if err != nil {
			return
		}
		require.NoError(t, want.UnmarshalVT(value))
		require.True(t, proto.Equal(&want, got))
	})
}
