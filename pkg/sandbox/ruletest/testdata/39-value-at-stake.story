# Predicted value times churn probability.
# Rules: at_stake.yaml
2026-01-01 purchase ada order=1 total=30
2026-01-10 purchase ada order=2 total=300
> ada raised critical much_at_stake since 2026-01-10T00:00:00Z by event: value_at_stake 197.52, at stake 197.52 (0.0 days since the last order, usually 9.0 between orders: 0%; leaves anyway after 2 purchase days: 100%)
2026-02-20 tick
2026-04-20 tick
2032-04-20 tick
> ada cleared much_at_stake at 2032-04-20T00:00:00Z for time: value_at_stake 0.97 (2292.0 days since the last order, usually 9.0 between orders: 79%; leaves anyway after 2 purchase days: 21%)
