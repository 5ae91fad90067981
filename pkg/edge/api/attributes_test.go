package api_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// Attributes that the setting names stand in a customer's answer, its ETag, and in lists, by which these can be filtered; others do not.
func TestAttributesOfACustomer(t *testing.T) {
	tags := map[string]bool{}
	for _, region := range []string{"north", "south"} {
		w := newWorld(t, "2026-01-01 purchase ada order=1 total=40 attribute=region:"+region+"\n2026-01-01 purchase bob order=2 total=40 attribute=plan:pro\n2026-01-02 tick")
		_, schemaOf := document(t, w)
		_, body, header := w.get(t, "/v1/customers/ada")
		fits(t, schemaOf("/v1/customers/{id}", "200", "application/json"), body, region)
		require.Equal(t, map[string]any{"region": region}, object(t, body)["attributes"])
		tags[header.Get("ETag")] = true
		require.Equal(t, map[string]any{}, w.object(t, "/v1/customers/bob")["attributes"])
		status, body, _ := w.get(t, "/v1/customers?sort=total_clv&where=region="+region)
		require.Equal(t, http.StatusOK, status, "%s", body)
		fits(t, schemaOf("/v1/customers", "200", "application/json"), body, region)
		listed := object(t, body)["customers"].([]any)
		require.Len(t, listed, 1)
		require.Equal(t, region, listed[0].(map[string]any)["region"])
		status, body, _ = w.get(t, "/v1/customers?where=plan=pro")
		require.Equal(t, http.StatusBadRequest, status, "%s", body)
	}
	require.Len(t, tags, 2)
}
