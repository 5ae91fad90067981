package ledger

import (
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"
)

func drawEntry(t *rapid.T) *Entry {
	e := &Entry{
		Version: rapid.Uint32().Draw(t, "version"), Kind: Kind(rapid.Int32Range(0, 99).Draw(t, "kind")), Customer: rapid.String().Draw(t, "customer"),
		PayloadKeyId: rapid.Uint32().Draw(t, "key"), Time: rapid.Int64().Draw(t, "time"), Payload: rapid.SliceOf(rapid.Byte()).Draw(t, "payload"),
		Headers: rapid.SliceOf(rapid.Byte()).Draw(t, "headers"),
	}
	if rapid.Bool().Draw(t, "has origin") {
		e.Origin = &Origin{Topic: rapid.String().Draw(t, "topic"), Offset: rapid.Int64().Draw(t, "offset"), Ordinal: rapid.Uint32().Draw(t, "ordinal")}
	}
	if rapid.Bool().Draw(t, "has after") {
		e.After = &Mark{Offset: rapid.Int64().Draw(t, "after"), Ordinal: rapid.Uint32().Draw(t, "after's ordinal")}
	}
	if rapid.Bool().Draw(t, "is copied") {
		e.Copied = &Copied{Partition: rapid.Int32().Draw(t, "copied from partition"), Offset: rapid.Int64().Draw(t, "copied from offset")}
	}
	return e
}

// A chunk decodes what the generated decoder decodes, and no entry changes when the next ones are decoded.
func TestEntriesDecodeWhatWasWritten(t *testing.T) {
	var chunk Entries
	rapid.Check(t, func(t *rapid.T) {
		chunk.Reset()
		var want, got []*Entry
		for range rapid.IntRange(1, 5).Draw(t, "entries") {
			e := drawEntry(t)
			value, err := e.MarshalVT()
			require.NoError(t, err)
			decoded, err := chunk.Decode(value)
			require.NoError(t, err)
			want, got = append(want, e), append(got, decoded)
			kind, err := KindOf(value)
			require.NoError(t, err)
			require.Equal(t, e.GetKind(), kind)
		}
		for i := range want {
			require.True(t, proto.Equal(want[i], got[i]), "%v, not %v", got[i], want[i])
		}
	})
}

func TestEventReaderReadsWhatWasWritten(t *testing.T) {
	var r EventReader
	rapid.Check(t, func(t *rapid.T) {
		want := &Event{
			Id: rapid.String().Draw(t, "id"), Source: rapid.String().Draw(t, "source"),
			OccurredAt: rapid.Int64().Draw(t, "occurred at"), Facts: rapid.Uint64().Draw(t, "facts"),
		}
		switch rapid.IntRange(0, 4).Draw(t, "body") { // 0: none
		case 1:
			want.Purchase = &Purchase{OrderId: rapid.String().Draw(t, "order"), Total: rapid.Int64().Draw(t, "total")}
			for range rapid.IntRange(0, 3).Draw(t, "refunds") {
				want.Purchase.Refunds = append(want.Purchase.Refunds, &Refund{RefundId: rapid.String().Draw(t, "refund"), Total: rapid.Int64().Draw(t, "refunded")})
			}
		case 2:
			want.Cancellation = &Cancellation{OrderId: rapid.String().Draw(t, "order"), Kind: CancellationKind(rapid.Int32Range(0, 9).Draw(t, "kind"))}
		case 3:
			want.Referral = &Referral{Referrer: rapid.String().Draw(t, "referrer"), Status: ReferralStatus(rapid.Int32Range(0, 9).Draw(t, "status"))}
		case 4:
			want.Survey = &Survey{ResponseId: rapid.String().Draw(t, "response"), Score: rapid.Int32().Draw(t, "score")}
		case 5:
			want.Engagement = &Engagement{Type: EngagementType(rapid.Int32Range(0, 9).Draw(t, "type")), Channel: rapid.String().Draw(t, "channel"), Campaign: rapid.String().Draw(t, "campaign")}
		}
		for range rapid.IntRange(0, 3).Draw(t, "attributes") {
			want.Attributes = append(want.Attributes, &Attribute{Name: rapid.String().Draw(t, "name"), Text: rapid.String().Draw(t, "text")})
		}
		d := drawDetails(t)
		want.PurchaseDetails = d
		payload, err := want.MarshalVT()
		require.NoError(t, err)
		got, err := r.Read(payload)
		require.NoError(t, err)
		want.PurchaseDetails = nil
		require.True(t, proto.Equal(want, got), "%v, not %v", got, want)
		var read Details
		require.Equal(t, d != nil && d.SizeVT() > 0, r.Details(&read))
		read.products = nil
		require.Equal(t, Details{
			Channel: d.GetChannel(), Country: d.GetCountry(), Coupon: d.GetCoupon(), Subscription: d.GetSubscriptionId(), Source: d.GetAcquisition().GetSource(), HowHeard: d.GetAcquisition().GetHowHeard(),
			Member: d.GetLoyaltyMember(), MemberStated: d.GetLoyaltyMemberStated(),
		}, read)
	})
}

// drawDetails draws the details of a purchase; nil: none.
func drawDetails(t *rapid.T) *PurchaseDetails {
	if rapid.Bool().Draw(t, "without details") {
		return nil
	}
	text := func(label string) string { return rapid.StringN(0, 3, -1).Draw(t, label) }
	d := &PurchaseDetails{
		Channel: text("channel"), Affiliation: text("affiliation"), Country: text("country"), Coupon: text("coupon"), SubscriptionId: text("subscription"),
		LoyaltyMember: rapid.Bool().Draw(t, "member"), LoyaltyMemberStated: rapid.Bool().Draw(t, "stated"), Discount: rapid.Int64().Draw(t, "discount"),
	}
	if rapid.Bool().Draw(t, "acquired") {
		d.Acquisition = &Acquisition{Source: text("source"), Medium: text("medium"), HowHeard: text("how heard")}
	}
	for range rapid.IntRange(0, 2).Draw(t, "products") {
		d.Products = append(d.Products, &Product{ProductId: text("product"), Category: text("category")})
	}
	return d
}

// Category and brand are those of the product with the greatest amount that states them, of several the first.
func TestDetailsOfTheDearestProduct(t *testing.T) {
	payload, err := (&Event{Purchase: &Purchase{}, PurchaseDetails: &PurchaseDetails{Channel: "web", MoreLines: 3, Products: []*Product{
		{Category: "Garden", Net: 20}, {Category: "Kitchen", Net: 50}, {Category: "Toys", Net: 50}, {Brand: "Nord"}, {ProductId: "p", Net: 90},
	}}}).MarshalVT()
	require.NoError(t, err)
	var r EventReader
	_, err = r.Read(payload)
	require.NoError(t, err)
	var d Details
	require.True(t, r.Details(&d))
	require.Equal(t, "Kitchen", d.Category())
	require.Equal(t, "Nord", d.Brand())
	require.Zero(t, testing.AllocsPerRun(10, func() {
		_, _ = r.Read(payload)
		r.Details(&d)
		_ = d.Category()
	}))
}

// Whatever the bytes, Decode and Read give what the generated decoders give (but for unknown fields), or refuse.
func FuzzDecode(f *testing.F) {
	value, err := (&Entry{Version: 1, Kind: Kind_KIND_EVENT, Customer: "c", Origin: &Origin{Topic: "t", Offset: 7}, After: &Mark{Offset: 3}, Copied: &Copied{Partition: 1, Offset: 9}, Payload: []byte("p"), Headers: []byte("h")}).MarshalVT()
	require.NoError(f, err)
	f.Add(value)
	value, err = (&Event{Id: "1", Source: "s", OccurredAt: 5, Facts: 6, Purchase: &Purchase{OrderId: "o", Refunds: []*Refund{{RefundId: "r"}}}}).MarshalVT()
	require.NoError(f, err)
	f.Add(value)
	value, err = (&Event{Id: "1", Purchase: &Purchase{OrderId: "o"}, PurchaseDetails: &PurchaseDetails{Channel: "web"}}).MarshalVT()
	require.NoError(f, err)
	f.Add(value)
	value, err = (&Event{Id: "1", Engagement: &Engagement{Type: 1}, Attributes: []*Attribute{{Name: "plan", Text: "pro"}, {Name: "region"}}}).MarshalVT()
	require.NoError(f, err)
	f.Add(value)
	f.Fuzz(func(t *testing.T, value []byte) {
		var chunk Entries
		if got, err := chunk.Decode(value); err == nil {
			var want Entry
			require.NoError(t, want.UnmarshalVT(value))
			want.ProtoReflect().SetUnknown(nil)
			require.True(t, proto.Equal(&want, got))
		}
		var r EventReader
		if got, err := r.Read(value); err == nil {
			var want Event
			require.NoError(t, want.UnmarshalVT(withoutDetails(value)))
			want.ProtoReflect().SetUnknown(nil)
			require.True(t, proto.Equal(&want, got))
			if d := new(Details); r.Details(d) {
				_, _ = d.Category(), d.Brand()
			}
		}
	})
}

// withoutDetails leaves out the details of a purchase, which Read does not look at.
func withoutDetails(event []byte) (rest []byte) {
	details := (*PurchaseDetails)(nil).ProtoReflect().Descriptor().FullName()
	for len(event) > 0 {
		number, _, n := protowire.ConsumeField(event)
		if n < 0 {
			return append(rest, event...)
		}
		field := (*Event)(nil).ProtoReflect().Descriptor().Fields().ByNumber(number)
		if field == nil || field.Message() == nil || field.Message().FullName() != details {
			rest = append(rest, event[:n]...)
		}
		event = event[n:]
	}
	return rest
}
