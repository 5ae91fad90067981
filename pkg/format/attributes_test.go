package format

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/schemas/event"
)

// Paths of attributes are those of the record as the vendor wrote it, also of what the format's table leaves out. In a record that lists events
// they begin at each event, and where nothing is there, at the record.
func TestAttributesOfVendorsRecords(t *testing.T) {
	const now = 1_790_000_000_000
	o := event.DefaultOptions()
	o.Attributes = []event.AttributePath{
		{Name: "region", Path: "customer.region"},
		{Name: "plan", Path: "properties.plan"},
		{Name: "campaign", Path: "context.campaign.name"},
		{Name: "vip", Path: "vip"},
		{Name: "sender", Path: "sender"},
	}
	d, err := event.NewDecoder(o)
	require.NoError(t, err)
	segment := func(order, more string) string {
		return `{"type":"track","event":"Order Completed","messageId":"m` + order + `","userId":"ada","timestamp":"2026-05-01T10:00:00Z",` + more + `"properties":{"order_id":"` + order + `","total":10,"currency":"EUR","plan":"pro"}}`
	}
	for name, want := range map[string]struct {
		format, record string
		stated         []string
	}{
		"shopify": {
			"shopify", `{"id":1,"customer":{"id":7,"region":"north"},"vip":true,"current_total_price":"10.00","currency":"EUR","created_at":"2026-05-01T10:00:00Z","updated_at":"2026-05-01T10:00:00Z","financial_status":"paid"}`,
			[]string{"region=north vip=true"},
		},
		"segment":         {"segment", segment("1", `"context":{"campaign":{"name":"spring"}},`), []string{"plan=pro campaign=spring"}},
		"segment's batch": {"segment", `{"sender":"app","vip":3,"batch":[` + segment("1", `"vip":4,`) + "," + segment("2", "") + `]}`, []string{"plan=pro vip=4 sender=app", "plan=pro vip=3 sender=app"}},
		"no format":       {"", `{"customer_id":"ada","order_id":"1","total":10,"currency":"EUR","occurred_at":"2026-05-01T10:00:00Z","customer":{"region":"north"}}`, []string{"region=north"}},
		"an array of no format": {
			"", `[{"customer_id":"ada","order_id":"1","total":10,"currency":"EUR","occurred_at":"2026-05-01T10:00:00Z","vip":1},{"customer_id":"bob","order_id":"2","total":10,"currency":"EUR","occurred_at":"2026-05-01T10:00:00Z","vip":2}]`,
			[]string{"vip=1", "vip=2"},
		},
		"an array of batches": {"segment", `[{"sender":"a","batch":[` + segment("1", "") + `]},{"sender":"b","batch":[` + segment("2", "") + `]}]`, []string{"plan=pro sender=a", "plan=pro sender=b"}},
		"in Connect's envelope": {
			"", `{"schema":{"vip":1},"payload":{"customer_id":"ada","order_id":"1","total":10,"currency":"EUR","occurred_at":"2026-05-01T10:00:00Z","vip":"yes"}}`, []string{"vip=yes"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := Open(want.format)
			require.NoError(t, err)
			var into event.Result
			var got []string
			m := event.Message{Value: []byte(want.record), Timestamp: now}
			require.NoError(t, f.Decode(d, event.Purchase, &m, now, &into, func(int, []byte) {
				var all []string
				for _, a := range into.Event.Attributes {
					all = append(all, a.Name+"="+a.Text)
				}
				got = append(got, strings.Join(all, " "))
			}))
			require.Equal(t, want.stated, got)
			shown := 0
			for _, r := range f.Readings(d, event.Purchase, &m, now) {
				if strings.HasPrefix(r.Field, "attribute ") && r.From != "" {
					shown++
				}
			}
			require.Equal(t, len(strings.Fields(strings.Join(got, " "))), shown, "check --sample shows them")
		})
	}
}
