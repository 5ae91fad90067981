# A value that only falls with time is seen when the customer is next looked at, not at a moment of its own.
# Rules: fading.yaml
2026-01-01 purchase ada order=1 total=20
2026-04-01 tick
2026-06-01 tick
2027-06-01 tick
> ada raised warning fading since 2027-06-01T00:00:00Z by timer: predicted_clv 2.68, at stake 1.46 (516.0 days since the last order: 50%; leaves anyway after 1 purchase day: 50%)
2027-06-02 purchase ada order=2 total=200
> ada cleared fading at 2027-06-02T00:00:00Z for purchase: predicted_clv 116.19 (0.0 days since the last order, usually 517.0 between orders: 0%; leaves anyway after 2 purchase days: 100%)
