# Who refers himself, or is referred a second time, brings nobody anything: the referral is rejected, and nothing changes.
# Rules: referrer.yaml
2026-01-01 purchase ada order=1 total=300
2026-01-01 purchase cyd order=1 total=20
2026-01-02 referral ada by=ada id=f1
> rejected self_referral
2026-01-03 referral bob by=ada id=f2
2026-01-04 referral bob by=cyd id=f3
> rejected referral_taken
2026-01-05 purchase bob order=1 total=80
> ada raised info brings_others since 2026-01-05T00:00:00Z by event: referral_value 80.00, at stake 115.01 (1 customer referred, worth 80.00 EUR: 100%)
2026-01-06 refund bob order=1 id=r1 total=80
> ada cleared brings_others at 2026-01-06T00:00:00Z for referral_credit: referral_value 0.00 (1 customer referred, worth 0.00 EUR: 100%)
