# An answer counts for a year; with it the alert goes.
# Rules: nps.yaml
2026-01-01 purchase ada order=1 total=20
2026-01-10 survey ada id=s1 score=3
> ada raised warning unhappy since 2026-01-10T00:00:00Z by event: nps_score 3.000, at stake 7.37 (answered 3 of 10 on 2026-01-10: 100%)
2027-01-09 tick
2027-01-10 tick
> ada cleared unhappy at 2027-01-10T00:00:00Z for time: nps_score null (no answer that counts: 100%)
