package event

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mainstay/mainstay/schemas/ledger"
)

// engagementNames are the names of the types of engagement, written out a second time on purpose.
var engagementNames = map[string]string{
	"site_visit": "site_visit", "page": "site_visit", "page_view": "site_visit", "session_start": "site_visit", "active_on_site": "site_visit",
	"product_viewed": "site_visit", "viewed_product": "site_visit", "view_item": "site_visit",
	"app": "app", "screen": "app", "screen_view": "app", "application_opened": "app", "opened_app": "app",
	"social_share": "social_share", "share": "social_share", "product_shared": "social_share", "cart_shared": "social_share",
	"review": "review", "product_reviewed": "review", "submitted_review": "review",
	"support_contact": "support_contact", "live_chat_conversation_started": "support_contact",
	"feature_use": "feature_use", "feature_used": "feature_use",
}

func (r *reference) engagement(e *ledger.Event) (natural string) {
	name := r.code("engagement_type", r.get("engagement_type event_name"), slices.Collect(maps.Keys(engagementNames))...)
	if text, ok := r.get("type event ce:type").value.(string); ok && name == "" && len(r.refusals) == 0 {
		text = strings.Map(asciiLower, text)
		if m := typesOf[Engagement].FindStringSubmatch(text); m != nil && m[2] != "engagement" {
			name = strings.NewReplacer(" ", "_", "-", "_").Replace(m[2])
		}
	}
	if name == "" {
		name = "site_visit"
	}
	own := engagementNames[name]
	e.Engagement = &ledger.Engagement{
		Type:    ledger.EngagementType(ledger.EngagementType_value["ENGAGEMENT_TYPE_"+strings.ToUpper(own)]),
		Channel: detailText(r.get("channel").value), Campaign: detailText(r.get("campaign").value),
	}
	return fmt.Sprintf("engagement:%s@%d", own, e.OccurredAt)
}
