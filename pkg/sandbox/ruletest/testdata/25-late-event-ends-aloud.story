# An order that comes days late raises nothing, but what subscribers were told of ends aloud.
# Rules: churn.yaml
2026-01-01 purchase ada order=1 total=40
2026-01-15 purchase ada order=2 total=40
2026-08-01 tick
> ada raised warning slipping since 2026-04-28T00:58:28.012Z by timer: churn_probability 0.6594, at stake 14.91 (198.0 days since the last order, usually 14.0 between orders: 69%; leaves anyway after 2 purchase days: 31%)
2026-08-10 purchase ada order=3 total=40 occurred=2026-08-02
> ada cleared slipping at 2026-08-10T00:00:00Z for purchase: churn_probability 0.1716 (8.0 days since the last order, usually 106.5 between orders: 6%; leaves anyway after 3 purchase days: 94%)
