package customer

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/schemas/ledger"
)

// A credit that comes late, since it has been round a ring of merges, does not replace a newer one, or one that was withdrawn.
func TestCreditsByVersion(t *testing.T) {
	s := New()
	s.ensureRare().addMerged(1)
	credit := func(net int64) *ledger.Credit { return &ledger.Credit{Referred: "them", Net: net, Approved: true} }
	s.SetCredit(credit(20), "me", 5)
	s.SetCredit(credit(10), "me", 4)
	require.EqualValues(t, 20, s.ReferralValue())
	s.SetCredit(credit(7), "another of me", 3)
	require.EqualValues(t, 27, s.ReferralValue())
	require.Equal(t, 2, s.Referred())
	s.SetCredit(&ledger.Credit{Referred: "them"}, "me", 7)
	s.SetCredit(credit(30), "me", 6)
	require.EqualValues(t, 7, s.ReferralValue())
	require.Equal(t, 1, s.Referred())

	again, err := Decode(s.Encode(nil))
	require.NoError(t, err)
	require.Equal(t, s.Encode(nil), again.Encode(nil))
	again.SetCredit(credit(40), "me", 6)
	require.EqualValues(t, 7, again.ReferralValue())
	again.SetCredit(credit(40), "me", 8)
	require.EqualValues(t, 47, again.ReferralValue())
	require.Equal(t, 2, again.Referred())
}
