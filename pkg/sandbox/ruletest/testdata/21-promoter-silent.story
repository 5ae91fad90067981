# Shipped: one who would recommend has not ordered for 120 days; an indifferent one is left alone.
# Rules: shipped
2026-01-01 purchase ada order=1 total=20
2026-01-01 purchase bob order=1 total=20
2026-01-05 survey ada id=s1 score=10
2026-01-05 survey bob id=s1 score=8
2026-04-30 tick
2026-05-02 tick
> ada raised warning promoter_silent since 2026-05-01T00:00:00Z by timer: days_since_last_order 121.0, at stake 3.97 (121.0 days since the last order: 100%; condition: promoter)
2026-05-03 purchase ada order=2 total=20
> ada cleared promoter_silent at 2026-05-03T00:00:00Z for purchase: days_since_last_order 0.0 (0.0 days since the last order, usually 122.0 between orders: 100%; condition: promoter)
