# An order ends the episode.
# Rules: churn.yaml
2026-01-01 purchase ada order=1 total=40
2026-01-15 purchase ada order=2 total=40
2026-07-01 tick
> ada raised warning slipping since 2026-04-28T00:58:28.012Z by timer: churn_probability 0.6166, at stake 17.37 (167.0 days since the last order, usually 14.0 between orders: 67%; leaves anyway after 2 purchase days: 33%)
2026-07-02 purchase ada order=3 total=40
> ada cleared slipping at 2026-07-02T00:00:00Z for purchase: churn_probability 0.1614 (0.0 days since the last order, usually 91.0 between orders: 0%; leaves anyway after 3 purchase days: 100%)
2026-07-03 tick
