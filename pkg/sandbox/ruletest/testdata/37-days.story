# Days of silence, and days overdue against the customer's own rhythm, each to the moment.
# Rules: silent.yaml
2026-01-01 purchase ada order=1 total=40
2026-01-11 purchase ada order=2 total=40
2026-01-21 purchase ada order=3 total=40
2026-03-21 tick
> ada raised warning overdue since 2026-02-20T20:02:49Z by timer: days_overdue 35.2, at stake 45.03 (59.0 days since the last order, usually 10.0 between orders: 100%)
2026-03-22 tick
> ada raised info silent since 2026-03-22T00:00:00Z by timer: days_since_last_order 60.0, at stake 44.87 (60.0 days since the last order, usually 10.0 between orders: 100%)
2026-03-22T12:00:00Z purchase ada order=4 total=40
> ada cleared silent at 2026-03-22T12:00:00Z for purchase: days_since_last_order 0.0 (0.0 days since the last order, usually 26.7 between orders: 100%)
> ada cleared overdue at 2026-03-22T12:00:00Z for purchase: days_overdue 0.0 (0.0 days since the last order, usually 26.7 between orders: 100%)
