#!/usr/bin/env bash
# Writes a small history with the mainstay binary of a release into a Kafka and a Redis that hold nothing else.
# README.md says how to make the fixture from it.
set -euo pipefail
mainstay=${1:?usage: generate.sh MAINSTAY KAFKA_BROKERS REDIS_ADDRESSES}
export MAINSTAY_KAFKA_BROKERS=${2:?} MAINSTAY_REDIS_ADDRESSES=${3:?}
export MAINSTAY_NAMESPACE=former MAINSTAY_CLOCK=event MAINSTAY_LEDGER_PARTITIONS=3 MAINSTAY_MONEY_CURRENCY=EUR
export MAINSTAY_MONEY_RATES=USD=0.9 MAINSTAY_TIERS_MIN_CUSTOMERS=10 MAINSTAY_FOLD_WAKE_LIMIT=4
export MAINSTAY_PORTFOLIO_CONTRIBUTION_INTERVAL=168h MAINSTAY_FOLD_CHECKPOINT_INTERVAL=5s MAINSTAY_INTAKE_TICK_INTERVAL=1s
export MAINSTAY_HTTP_LISTEN=127.0.0.1:18480 MAINSTAY_LOG_LEVEL=warn
running=
work=$(mktemp -d)
trap 'kill $running 2>/dev/null || true; rm -rf "$work"' EXIT

send() { "$mainstay" send "$@" >/dev/null; }
caught_up() { # all that was sent is folded and committed
  sleep 5
  until "$mainstay" status -o json | tr -d ' \n' | grep -q '^{.*"lag":0'; do sleep 1; done
  sleep 5
}
stop() { kill "$running" && wait "$running" || true; }

"$mainstay" topics apply
sleep 3 # until the ledger can be read
"$mainstay" run &
running=$!
# A dozen customers order 200 times in the first ten months of 2024, in the order of time.
awk 'BEGIN {
  print "customer_id,order_id,occurred_at,total"
  for (i = 0; i < 200; i++) {
    h = (i * 7919 + 13) % 1009; c = (h * h) % 44
    day = int(i * 1.5); month = 1 + int(day / 30)
    printf "c-%d,o-%d,2024-%02d-%02dT%02d:00:00Z,%d.%02d\n", c, i, month, 1 + day % 30 - (month == 2 && day % 30 > 27 ? 2 : 0), 8 + i % 12, 5 + h % 90, h % 100
  }
}' >"$work/orders.csv"
"$mainstay" import "$work/orders.csv" --type purchase --currency EUR
day() { # so many days after those orders
  date -u -d "2024-11-01 + $1 days" +%Y-%m-%dT12:00:00Z
}
for i in 3 9 21; do send survey --customer "c-$i" --score $((i % 11)) --response "s-$i" --at "$(day 0)"; done
caught_up

# The other kinds of events, and what is unusual about them.
send cancellation --customer late --order l1 --refund lr1 --total 5 --currency EUR --at "$(day 1)" # before its order
send purchase --customer late --order l1 --total 50 --currency USD --at "$(day 1)"
send purchase --customer late --order l2 --total 20 --currency EUR --at "$(day 1)"
send cancellation --customer late --order l2 --at "$(day 2)"
send cancellation --customer late --order l1 --refund lr2 --total 500 --currency EUR --at "$(day 2)" # more than the order
send cancellation --customer late --subscription s1 --effective-at "$(day 9)" --at "$(day 2)"
for i in 1 2 3 4 5 6; do # referrals across partitions
  send purchase --customer "friend-$i" --order "f$i" --total 4$i --currency EUR --at "$(day 3)"
  send referral --referrer late --customer "friend-$i" --referral "r$i" --at "$(day 3)"
done
send referral --referrer late --customer friend-1 --referral r1 --status voided --at "$(day 4)"
send referral --referrer friend-1 --customer late --referral r7 --at "$(day 4)" # a circle
send referral --referrer friend-2 --customer friend-3 --referral r8 --status pending --at "$(day 4)"
for type in csat:5 ces:7; do send survey --customer late --type "${type%:*}" --score "${type#*:}" --response "x-$type" --at "$(day 5)"; done
send survey --customer late --type equity --dimension brand --score 4 --response x-equity --at "$(day 5)"
send survey --customer late --score 3 --response x-nps --at "$(day 5)"
send survey --customer late --score 10 --response x-nps --updated-at "$(day 6)" --at "$(day 6)"
send purchase --customer friend-4 --order f4 --total 99 --currency EUR --at "$(day 6)"     # another total under the same id
send purchase --customer friend-5 --order f7 --total 99 --currency JPY --at "$(day 6)"     # no rate: a rejection
send purchase --customer friend-5 --order f8 --total 99 --currency EUR --updated-at "$(day 6)" --at "$(day 6)"
send purchase --customer friend-5 --order f8 --total 89 --currency EUR --status cancelled --updated-at "$(day 7)" --at "$(day 7)"
send purchase --customer friend-4 --order f4 --total 44 --currency EUR --at "$(day 3)" # again
printf '{"customer_id":"friend-6","order_id":"f9","total":"80","currency":"EUR","occurred_at":"%s","updated_at":"%s","refunds":[{"refund_id":"q1","total":"10.50","occurred_at":"%s"}]}\n' \
  "$(day 6)" "$(day 7)" "$(day 7)" >"$work/order.ndjson"
"$mainstay" import "$work/order.ndjson" --type purchase
send cancellation --customer friend-6 --kind account --at "$(day 7)"
send cancellation --customer friend-2 --kind account --effective-at "$(day 60)" --at "$(day 7)"
caught_up
for d in 30 60 90 150; do "$mainstay" advance --to "$(day $d)"; done # silence: alerts are raised
for i in 1 3 4; do send purchase --customer "friend-$i" --order "f1$i" --total 60 --currency EUR --at "$(day 151)"; done # and cleared
for i in 20 16 1; do send purchase --customer "c-$i" --order "c1$i" --total 60 --currency EUR --at "$(day 152)"; done
send cancellation --customer c-12 --kind account --at "$(day 152)"
"$mainstay" advance --to "$(day 153)"
caught_up
"$mainstay" refit || { # too few customers, maybe: parameters from a file then
  "$mainstay" fit "$(dirname "$0")/../../../../eventfile/testdata/cdnow_sample.csv" --currency EUR --to "$work/parameters.yaml" \
    --map customer_id=sampleid,occurred_at=date,total=sales --time-format 20060102
  export MAINSTAY_MODEL_PARAMETERS_FILE=$work/parameters.yaml
}
stop

# Another revision of the settings, by another process.
export MAINSTAY_SETTINGS_REVISION=2 MAINSTAY_CHURN_MATERIAL=0.1 MAINSTAY_CLV_MARGIN=0.5 MAINSTAY_SURVEYS_WINDOW_DAYS=200 MAINSTAY_ALERTS_FUSE_RAISES=1
export MAINSTAY_ALERTS_PUBLISH_BASELINE=true MAINSTAY_ALERTS_FUSE_SHARE=0
export MAINSTAY_ALERTS_RULES='[{name: quiet, metric: churn_probability, above: 0.4, clear: 0.3, severity: warning}]'
"$mainstay" run &
running=$!
caught_up
send purchase --customer late --order l9 --total 70 --currency EUR --at "$(day 160)"
send purchase --customer c-9 --order c19 --total 60 --currency EUR --at "$(day 160)"
send purchase --customer friend-3 --order f19 --total 70 --currency EUR --at "$(day 161)"
"$mainstay" advance --to "$(day 400)"
caught_up
stop
"$mainstay" audit
"$mainstay" status
