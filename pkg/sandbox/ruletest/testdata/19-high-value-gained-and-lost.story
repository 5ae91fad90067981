# Shipped: into the upper 20% by an order, out of them by a refund, and back.
# Rules: shipped
2026-01-01 thresholds top_10=500 top_20=200
2026-01-02 purchase ada order=1 total=20
2026-01-03 purchase ada order=2 total=150
> ada raised info high_value_gained since 2026-01-03T00:00:00Z by event: value_tier 2.000, at stake 108.37 (2 orders worth 170.00 EUR: 24%; 537.28 EUR expected: 76%)
2026-01-04 refund ada order=2 id=r1 total=140
> ada cleared high_value_gained at 2026-01-04T00:00:00Z for cancellation: value_tier 0.000 (140.00 EUR refunded or cancelled: 22%; 489.25 EUR less expected: 78%)
> ada raised warning high_value_lost since 2026-01-04T00:00:00Z by event: high_value_lost 1.000, at stake 9.90 (140.00 EUR refunded or cancelled: 22%; 489.25 EUR less expected: 78%)
2026-01-05 purchase ada order=3 total=160
> ada raised info high_value_gained since 2026-01-05T00:00:00Z by event: value_tier 2.000, at stake 86.61 (3 orders worth 190.00 EUR: 26%; 536.74 EUR expected: 74%)
> ada cleared high_value_lost at 2026-01-05T00:00:00Z for purchase: high_value_lost 0.000 (3 orders worth 190.00 EUR: 26%; 536.74 EUR expected: 74%)
