# Shipped: of two who fall silent alike, the one of high value is critical.
# Rules: shipped
2026-01-01 thresholds top_10=200 top_20=100
2026-01-02 purchase ada order=1 total=300
> ada silently opened high_value_gained (baseline) since 2026-01-02T00:00:00Z
2026-01-02 purchase bob order=1 total=30
2026-01-16 purchase ada order=3 total=300
2026-01-16 purchase bob order=2 total=5
2027-12-01 tick
> ada raised warning churn_risk_high since 2026-08-03T11:50:41.353Z by timer: churn_probability 0.9018, at stake 17.70 (684.0 days since the last order, usually 14.0 between orders: 78%; leaves anyway after 2 purchase days: 22%)
> ada raised critical high_value_at_risk since 2026-08-02T11:50:41.353Z by timer: churn_probability 0.9018, at stake 17.70 (684.0 days since the last order, usually 14.0 between orders: 78%; leaves anyway after 2 purchase days: 22%; condition: value tier top_10)
> bob raised warning churn_risk_high since 2026-08-03T11:50:41.353Z by timer: churn_probability 0.9018, at stake 0.54 (684.0 days since the last order, usually 14.0 between orders: 78%; leaves anyway after 2 purchase days: 22%)
2027-12-02 purchase ada order=2 total=50
> ada cleared churn_risk_high at 2027-12-02T00:00:00Z for purchase: churn_probability 0.1614 (0.0 days since the last order, usually 349.5 between orders: 0%; leaves anyway after 3 purchase days: 100%)
> ada cleared high_value_at_risk at 2027-12-02T00:00:00Z for purchase: churn_probability 0.1614 (0.0 days since the last order, usually 349.5 between orders: 0%; leaves anyway after 3 purchase days: 100%; condition: value tier top_10)
