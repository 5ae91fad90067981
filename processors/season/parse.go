package season

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ParseCampaigns reads campaigns as settings have them: name=2026-05-01..2026-05-07, or with a multiplier that the shop states,
// name=2026-05-01..2026-05-07*1.8. Without one, Campaign.Multiplier is 0: it is to be estimated. The error wraps ErrEvent, ErrPace or
// ErrOverlap.
func ParseCampaigns(texts []string) ([]Campaign, error) {
	var all []Campaign
	for _, text := range texts {
		c, err := parseCampaign(text)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, CheckCampaigns(all)
}

func parseCampaign(text string) (Campaign, error) {
	bad := func() (Campaign, error) {
		return Campaign{}, fmt.Errorf("%w: campaign %q; write it as name=2026-05-01..2026-05-07, or with a multiplier, name=2026-05-01..2026-05-07*1.8", ErrEvent, text)
	}
	name, rest, ok := strings.Cut(text, "=")
	from, to, hasDays := strings.Cut(rest, "..")
	if !ok || !hasDays {
		return bad()
	}
	c := Campaign{Name: name}
	to, multiplier, stated := strings.Cut(to, "*")
	if stated {
		v, err := strconv.ParseFloat(multiplier, 64)
		if err != nil {
			return bad()
		}
		if err := checkMultiplier("campaign "+name, v); err != nil {
			return Campaign{}, err
		}
		c.Multiplier = v
	}
	for _, day := range []struct {
		text string
		to   *int32
	}{{from, &c.First}, {to, &c.Last}} {
		t, err := time.Parse(time.DateOnly, day.text)
		if err != nil {
			return bad()
		}
		*day.to = int32(t.Unix() / 86400) //nolint:gosec // years of four digits
	}
	return c, nil
}
