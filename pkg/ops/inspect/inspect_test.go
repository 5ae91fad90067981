package inspect

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/schemas/event"
)

func TestTopicsNamed(t *testing.T) {
	kinds := []event.Kind{event.Purchase, event.Cancellation, event.Referral, event.Survey}
	for name, want := range map[string]string{
		"clv": "till.clv.v1", "churn-risk": "till.churn-risk.v1", "till.alerts.v1": "till.alerts.v1", "portfolio": "till.portfolio.v1",
		"purchases.dlq": "till.purchases.dlq", "till.surveys.dlq": "till.surveys.dlq", "sales": "sales",
		"dlq": "till.purchases.dlq till.cancellations.dlq till.referrals.dlq till.surveys.dlq",
	} {
		got, err := TopicsNamed("till", []string{"sales"}, kinds, name)
		require.NoError(t, err, name)
		require.Equal(t, want, strings.Join(got, " "), name)
	}
	_, err := TopicsNamed("till", []string{"sales"}, kinds, "purchases")
	require.ErrorIs(t, err, ErrNoSuchTopic)
	require.ErrorContains(t, err, "sales")
}

func TestFilesAreToldFromPayloads(t *testing.T) {
	for sample, file := range map[string]bool{
		"customer_id,total\na,1\n": true, "\ufeffsep=;\na;b\n": true, "PK\x03\x04": true, "PAR1": true, "\x1f\x8b": true, "\xff\xfea": true,
		"{\"a\":1}\n{\"a\":2}\n": true, "\ufeff{\"a\":1}\n{\"a\":": true,
		"{\"a\":1}": false, "[{\"a\":1},\n{}]": false, "{\"a\":\n1,}": false, "{\"a\"": false, "\x00\x00\x00\x00\x07{}": false, "": false, "null": false,
	} {
		require.Equal(t, file, IsFile([]byte(sample)), "%q", sample)
	}
}
