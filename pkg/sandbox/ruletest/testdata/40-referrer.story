# What others bring on a customer's word, and its end when the referral is voided.
# Rules: referrer.yaml
2026-01-01 purchase ada order=1 total=30
2026-01-02 referral bob by=ada id=f1
2026-01-03 purchase bob order=1 total=80
> ada raised info brings_others since 2026-01-03T00:00:00Z by event: referral_value 80.00, at stake 11.69 (1 customer referred, worth 80.00 EUR: 100%)
2026-01-04 referral bob by=ada id=f1 status=voided
> ada cleared brings_others at 2026-01-04T00:00:00Z for referral_credit: referral_value 0.00 (0 customers referred, worth 0.00 EUR: 100%)
