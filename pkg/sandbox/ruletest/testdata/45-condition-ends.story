# An episode ends with its condition: a promoter who is silent, and then no promoter any more; and with it a new one begins.
# Rules: shipped
2026-01-01 purchase ada order=1 total=20
2026-01-05 survey ada id=s1 score=9
2026-05-02 tick
> ada raised warning promoter_silent since 2026-05-01T00:00:00Z by timer: days_since_last_order 121.0, at stake 3.97 (121.0 days since the last order: 100%; condition: promoter)
2026-05-10 survey ada id=s2 score=7
> ada cleared promoter_silent at 2026-05-10T00:00:00Z for survey: days_since_last_order 129.0 (129.0 days since the last order: 100%; condition: passive)
2026-05-12 survey ada id=s3 score=10
> ada raised warning promoter_silent since 2026-05-12T00:00:00Z by event: days_since_last_order 131.0, at stake 3.81 (131.0 days since the last order: 100%; condition: promoter)
