# Any detractor, and a better answer afterwards.
# Rules: nps.yaml
2026-01-01 purchase ada order=1 total=20
2026-01-10 survey ada id=s1 score=6
> ada raised warning unhappy since 2026-01-10T00:00:00Z by event: nps_score 6.000, at stake 7.37 (answered 6 of 10 on 2026-01-10: 100%)
2026-01-20 survey ada id=s2 score=7
> ada cleared unhappy at 2026-01-20T00:00:00Z for survey: nps_score 7.000 (answered 7 of 10 on 2026-01-20: 100%)
