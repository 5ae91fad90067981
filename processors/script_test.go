package processors_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

var update = flag.Bool("update", false, "write what came out into the scripts of testdata")

// TestScripts folds each script of testdata: a line is an entry, and the lines under it that begin with > are what it makes
// the partition say. Run with -update after a change, and read the difference.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.script")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".script"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			require.NoError(t, err)
			got := play(t, string(want))
			if *update {
				require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
				return
			}
			require.Equal(t, string(want), got)
		})
	}
}

func play(t *testing.T, script string) string {
	var w *world
	var b strings.Builder
	for line := range strings.SplitSeq(strings.TrimRight(script, "\n"), "\n") {
		if strings.HasPrefix(line, ">") {
			continue
		}
		b.WriteString(line + "\n")
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		if w == nil {
			g := genesis(1, ledger.Clock_CLOCK_EVENT)
			if words[0] == "genesis" {
				a := arguments(words[1:])
				g.Currency, g.Timezone = a.text("currency", "EUR"), a.text("zone", "UTC")
				g.Partitions = int32(a.number("partitions", 1))
			}
			w = newWorld(t, g)
			if words[0] == "genesis" {
				continue
			}
		}
		if note := w.perform(words); note != "" {
			b.WriteString("> " + note + "\n")
		}
		for _, s := range w.takeOutputs() {
			if s.Topic == output.Segments { // TestSegmentsOfACloseAreThoseOfARecount
				continue
			}
			b.WriteString("> " + plain(t, s) + "\n")
		}
	}
	return b.String()
}

type words map[string]string

func arguments(list []string) words {
	a := words{}
	for _, w := range list {
		name, value, _ := strings.Cut(w, "=")
		a[name] = value
	}
	return a
}

func (a words) text(name, otherwise string) string {
	if v, ok := a[name]; ok {
		return v
	}
	return otherwise
}

func (a words) number(name string, otherwise float64) float64 {
	v, ok := a[name]
	if !ok {
		return otherwise
	}
	n, err := strconv.ParseFloat(v, 64)
	if err != nil {
		panic(err)
	}
	return n
}

func (a words) time(name string) int64 {
	if v, ok := a[name]; ok {
		return ms(v)
	}
	return 0
}

// cents of an amount with two decimals.
func (a words) cents(name string) int64 { return int64(a.number(name, 0)*100 + .5) }

// perform folds one line: <time> <kind> <customer> name=value ...
func (w *world) perform(line []string) string {
	if line[0] == "settings" {
		a := arguments(line[1:])
		w.settings(func(v *ledger.SettingsValues) {
			for name, value := range a {
				field := v.ProtoReflect().Descriptor().Fields().ByTextName(name)
				require.NotNil(w.t, field, name)
				if name == "rates" {
					for r := range strings.SplitSeq(value, ",") {
						code, ratio, _ := strings.Cut(r, ":")
						var n, d int64
						_, err := fmt.Sscanf(ratio, "%d/%d", &n, &d)
						require.NoError(w.t, err)
						v.Rates = append(v.Rates, &ledger.Rate{Currency: code, Numerator: n, Denominator: d})
					}
					continue
				}
				n := a.number(name, 0)
				switch field.Kind().String() {
				case "double":
					v.ProtoReflect().Set(field, valueOf(n))
				case "enum":
					v.ProtoReflect().Set(field, valueOf(protoreflect.EnumNumber(n)))
				default:
					v.ProtoReflect().Set(field, valueOf(uint32(n)))
				}
			}
		})
		return ""
	}
	if line[0] == "get" {
		a := w.scores(line[1])
		return string(a.Append(nil))
	}
	at := ms(line[0])
	a := arguments(line[2:])
	switch line[1] {
	case "tick":
		w.tick(at)
		return ""
	case "parameters":
		w.append(ledger.Kind_KIND_PARAMETERS, at, &ledger.Parameters{
			Version: uint64(a.number("version", 1)), Model: "mbg_nbd", Status: "fitted",
			R: a.number("r", 0), Alpha: a.number("alpha", 0), A: a.number("a", 0), B: a.number("b", 0),
			P: a.number("p", 0), Q: a.number("q", 0), V: a.number("v", 0),
		})
		return ""
	}
	v := w.event(line[2], scripted(line[1], at, arguments(line[3:])))
	if v.Result.String() == "applied" || v.Result.String() == "rejected" {
		return ""
	}
	return v.Result.String()
}

func scripted(what string, at int64, a words) *ledger.Event {
	e := &ledger.Event{OccurredAt: at}
	switch what {
	case "purchase":
		e.Purchase = &ledger.Purchase{
			OrderId: a["order"], Total: a.cents("total"), Currency: a.text("currency", "EUR"), UpdatedAt: a.time("updated"), Cancelled: a["cancelled"] != "",
		}
		if f, ok := a["refund"]; ok {
			id, total, _ := strings.Cut(f, ":")
			e.Purchase.Refunds = []*ledger.Refund{{RefundId: id, Total: words{"": total}.cents(""), OccurredAt: at}}
		}
		e.Id, e.Source = "order:"+a["order"], "purchase"
		if e.Purchase.UpdatedAt != 0 {
			e.Id += "@" + strconv.FormatInt(e.Purchase.UpdatedAt, 10)
		}
	case "refund":
		e.Cancellation = &ledger.Cancellation{
			Kind: ledger.CancellationKind_CANCELLATION_KIND_REFUND, OrderId: a["order"], RefundId: a["id"], Total: a.cents("total"), Currency: a.text("currency", "EUR"),
		}
		e.Id, e.Source = "refund:"+a["id"], "cancellation"
	case "cancel":
		e.Cancellation = &ledger.Cancellation{Kind: ledger.CancellationKind_CANCELLATION_KIND_ORDER, OrderId: a["order"]}
		e.Id, e.Source = "cancellation:"+a["order"], "cancellation"
	case "account":
		e.Cancellation = &ledger.Cancellation{Kind: ledger.CancellationKind_CANCELLATION_KIND_ACCOUNT, EffectiveAt: a.time("effective")}
		e.Id, e.Source = "account", "cancellation"
	case "subscription":
		e.Cancellation = &ledger.Cancellation{Kind: ledger.CancellationKind_CANCELLATION_KIND_SUBSCRIPTION, SubscriptionId: a["id"], EffectiveAt: a.time("effective")}
		e.Id, e.Source = "subscription:"+a["id"], "cancellation"
	case "referral":
		status := ledger.ReferralStatus(ledger.ReferralStatus_value["REFERRAL_STATUS_"+strings.ToUpper(a.text("status", "approved"))])
		e.Referral = &ledger.Referral{ReferralId: a["id"], Referrer: a["by"], Status: status}
		e.Id, e.Source = "referral:"+a["id"]+":"+a.text("status", "approved"), "referral"
	case "survey":
		kind := ledger.SurveyType(ledger.SurveyType_value["SURVEY_TYPE_"+strings.ToUpper(a.text("type", "nps"))])
		e.Survey = &ledger.Survey{
			ResponseId: a["id"], SurveyId: a["survey"], Type: kind, Score: int32(a.number("score", 0)), CreatedAt: max(at, a.time("created")), UpdatedAt: max(at, a.time("updated")),
			Excluded: a["excluded"] != "", Comment: a["comment"],
		}
		e.Id, e.Source = fmt.Sprint("response:", a["id"], "@", e.Survey.UpdatedAt), "survey"
	default:
		panic("unknown line: " + what)
	}
	if id := a["event"]; id != "" {
		e.Id = id
	}
	return fact(e)
}

// plain returns an output as one line: customer, type, and the fields that are not null.
func plain(t *testing.T, s published) string {
	d := json.NewDecoder(strings.NewReader(s.json))
	d.UseNumber()
	_, err := d.Token()
	require.NoError(t, err)
	fields := map[string]json.RawMessage{}
	require.NoError(t, json.Unmarshal([]byte(s.json), &fields))
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s", s.Topic)
	if s.Topic != output.Portfolio {
		fmt.Fprintf(&b, " %s", s.Key)
	}
	if n, ok := fields["sequence"]; ok {
		fmt.Fprintf(&b, " #%s", n)
	}
	fmt.Fprintf(&b, " by %s", strings.Trim(string(fields["trigger"]), `"`))
	skip := map[string]bool{
		"event_id": true, "event_type": true, "customer_id": true, "sequence": true, "trigger": true, "currency": true, "model": true,
		"prediction_horizon_days": true, "purchase_horizon_days": true,
	}
	for d.More() {
		name, err := d.Token()
		require.NoError(t, err)
		var value json.RawMessage
		require.NoError(t, d.Decode(&value))
		if text := string(value); !skip[name.(string)] && text != "null" {
			fmt.Fprintf(&b, " %s=%s", name, text)
		}
	}
	return b.String()
}

func valueOf(v any) protoreflect.Value { return protoreflect.ValueOf(v) }
