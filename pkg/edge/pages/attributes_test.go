package pages_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/edge/pages"
)

// A customer's page has the attributes that the setting names, and no card without the setting.
func TestAttributesOnThePage(t *testing.T) {
	const scenario = "2026-01-01 purchase ada order=1 total=40 attribute=region:<b>north</b>\n2026-01-01 purchase bob order=2 total=40 attribute=plan:pro\n2026-01-02 tick"
	w := newWorldOf(t, func(c *pages.Config) { c.Views.Attributes = []string{"region"} }, scenario, nil)
	_, body, _ := w.get(t, "/customer?id=ada")
	require.Contains(t, body, `<li>region: <span dir="auto">&lt;b&gt;north&lt;/b&gt;</span></li>`)
	_, body, _ = w.get(t, "/customer?id=bob")
	require.Contains(t, body, "No event has stated any.")
	require.NotContains(t, body, "pro<")
	_, body, _ = newWorld(t, scenario, nil).get(t, "/customer?id=ada")
	require.NotContains(t, body, "north")
}
