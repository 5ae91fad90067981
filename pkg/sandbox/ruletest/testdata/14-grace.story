# Within the grace of an order the class is low, and the alert waits for its end.
# Rules: churn_stricter.yaml
2026-01-01 settings churn_grace_days=90
2026-01-01 purchase ada order=1 total=40
2026-03-31 tick
2026-04-02 tick
> ada raised warning slipping since 2026-04-01T00:00:00Z by timer: churn_probability 0.3753, at stake 9.05 (91.0 days since the last order: 28%; leaves anyway after 1 purchase day: 72%)
