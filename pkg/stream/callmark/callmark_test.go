package callmark_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/stream/callmark"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// Statements are read as of the ledger's time and in its time zone; what cannot be kept is refused with its field.
func TestStatements(t *testing.T) {
	zone, err := time.LoadLocation("Asia/Tehran") // 3:30 before UTC
	require.NoError(t, err)
	now := time.Date(2026, 12, 20, 12, 0, 0, 0, time.UTC)
	until := func(text string) *ledger.CallMark {
		at, err := time.Parse(time.RFC3339, text)
		require.NoError(t, err)
		return &ledger.CallMark{Kind: ledger.CallMarkKind_CALL_MARK_KIND_SNOOZED, Until: at.UnixMilli()}
	}
	for _, c := range []struct {
		statement callmark.Statement
		want      *ledger.CallMark
		field     string
	}{
		{callmark.Statement{Mark: "done", By: " Ann ", Note: "will order"}, &ledger.CallMark{Kind: ledger.CallMarkKind_CALL_MARK_KIND_DONE, By: "Ann", Note: "will order"}, ""},
		{callmark.Statement{Mark: "clear"}, &ledger.CallMark{}, ""},
		{callmark.Statement{Mark: "snooze", Until: "7d"}, until("2026-12-27T12:00:00Z"), ""},
		{callmark.Statement{Mark: "snooze", Until: "2026-12-24"}, until("2026-12-23T20:30:00Z"), ""},
		{callmark.Statement{Mark: "snooze", Until: "2026-12-24T09:00:00+01:00"}, until("2026-12-24T08:00:00Z"), ""},
		{callmark.Statement{Mark: "snooze", Until: "366d"}, until("2027-12-21T12:00:00Z"), ""},
		{callmark.Statement{Mark: "snooze", Until: "367d"}, nil, "until"},
		{callmark.Statement{Mark: "snooze", Until: "99999999999d"}, nil, "until"},
		{callmark.Statement{Mark: "snooze", Until: "0d"}, nil, "until"},
		{callmark.Statement{Mark: "snooze", Until: "2026-12-20"}, nil, "until"},
		{callmark.Statement{Mark: "snooze", Until: "next week"}, nil, "until"},
		{callmark.Statement{Mark: "snooze"}, nil, "until"},
		{callmark.Statement{Mark: "done", Until: "7d"}, nil, "until"},
		{callmark.Statement{Mark: ""}, nil, "mark"},
		{callmark.Statement{Mark: "none"}, nil, "mark"},
		{callmark.Statement{Mark: "done", By: strings.Repeat("x", customer.MostMarkBy)}, &ledger.CallMark{Kind: ledger.CallMarkKind_CALL_MARK_KIND_DONE, By: strings.Repeat("x", customer.MostMarkBy)}, ""},
		{callmark.Statement{Mark: "done", By: strings.Repeat("x", customer.MostMarkBy+1)}, nil, "by"},
		{callmark.Statement{Mark: "done", Note: strings.Repeat("x", customer.MostMarkNote+1)}, nil, "note"},
		{callmark.Statement{Mark: "done", Note: "a\nb"}, nil, "note"},
		{callmark.Statement{Mark: "done", Note: "\xff"}, nil, "note"},
	} {
		got, err := c.statement.Payload(now, zone)
		if c.field != "" {
			var wrong *callmark.FieldError
			require.ErrorAs(t, err, &wrong, "%+v", c.statement)
			require.Equal(t, c.field, wrong.Field, "%+v", c.statement)
			continue
		}
		require.NoError(t, err, "%+v", c.statement)
		require.Equal(t, c.want.String(), got.String(), "%+v", c.statement)
		require.True(t, customer.IsValidCallMark(got), "%+v", c.statement)
	}
}
