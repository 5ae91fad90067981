# An answer that is changed is one answer: the newest word counts, and a word that comes too late counts for nothing.
# Rules: nps.yaml
2026-01-01 purchase ada order=1 total=20
2026-01-10 survey ada id=s1 score=8
2026-01-11 survey ada id=s1 score=5
> ada raised warning unhappy since 2026-01-11T00:00:00Z by event: nps_score 5.000, at stake 7.31 (answered 5 of 10 on 2026-01-11: 100%)
2026-01-12 survey ada id=s1 score=8 occurred=2026-01-10
> duplicate_event
2026-01-13 survey ada id=s1 score=9
> ada cleared unhappy at 2026-01-13T00:00:00Z for survey: nps_score 9.000 (answered 9 of 10 on 2026-01-13: 100%)
