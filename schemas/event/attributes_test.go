package event

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func attributeDecoder(t require.TestingT, paths ...string) *Decoder {
	o := DefaultOptions()
	o.Currency = "EUR"
	for i := 0; i < len(paths); i += 2 {
		o.Attributes = append(o.Attributes, AttributePath{paths[i], paths[i+1]})
	}
	d, err := NewDecoder(o)
	require.NoError(t, err)
	return d
}

// statedOf decodes a record and returns what it states, as name=text.
func statedOf(t require.TestingT, d *Decoder, kind Kind, record string) (all []string) {
	var r Result
	require.NoError(t, d.Decode(kind, &Message{Value: []byte(record), Timestamp: 1_700_000_000_000}, 1_700_000_000_000, &r), record)
	for _, a := range r.Event.Attributes {
		all = append(all, a.Name+"="+a.Text)
	}
	return all
}

func TestAttributes(t *testing.T) {
	d := attributeDecoder(t, "region", "customer.region", "plan", "properties.plan", "customer", "customer.tags.first", "vip", "vip")
	for record, want := range map[string][]string{
		`"customer":{"region":" north\t"},"properties":{"plan":7.50},"vip":true`: {"region=north", "plan=7.50", "vip=true"},
		`"customer":{"tags":{"first":"a"},"region":"N\u00f6rd"}`:                 {"region=Nörd", "customer=a"},
		`"customer":{"region":null},"properties":{"plan":""},"vip":" "`:          nil,
		`"customer":{"region":["north"]},"properties":{"plan":{"id":1}}`:         nil, // neither a list nor an object is a text
		`"customer":["region"],"properties":7`:                                   nil,
		`"customer":{"region":"a"},"customer":{"region":"b"},"vip":1,"vip":null`: {"region=b"}, // of a repeated member the last counts
		`"customer":{"region":"a"},"customer":{}`:                                nil,
		`"custo\u006der":{"re\u0067ion":"escaped"}`:                              {"region=escaped"},
		`"region":"not here","x":{"customer":{"region":"nor here"}}`:             nil,
		`"customer":{"region":"` + strings.Repeat("ä", 60) + `"}`:                {"region=" + strings.Repeat("ä", 50)},
	} {
		record = `{"customer_id":"c","order_id":"1","total":10,` + record + `}`
		require.Equal(t, want, statedOf(t, d, Purchase, record), record)
		require.Nil(t, statedOf(t, attributeDecoder(t), Purchase, record))
	}
	structured := `{"specversion":"1.0","id":"1","source":"s","type":"purchase","customer":{"region":"envelope"},"data":{"customer_id":"c","order_id":"1","total":10,"customer":{"region":"north"}}}`
	require.Equal(t, []string{"region=north"}, statedOf(t, d, Purchase, structured))
	require.Equal(t, []string{"plan=pro"}, statedOf(t, d, Engagement, `{"userId":"c","type":"track","event":"page","properties":{"plan":"pro"}}`))
	require.Nil(t, statedOf(t, d, Survey, `{"customer_id":"c","response_id":"1","score":9,"customer":{"region":"north"}}`), "surveys state no attributes")
}

// An attribute distinguishes no duplicate from a conflict: the facts of an event are what they were before anybody named it.
func TestAttributesAreNoFacts(t *testing.T) {
	facts := func(d *Decoder) uint64 {
		var r Result
		require.NoError(t, d.Decode(Purchase, &Message{Value: []byte(`{"customer_id":"c","order_id":"1","total":10,"plan":"pro"}`), Timestamp: 1_700_000_000_000}, 1_700_000_000_000, &r))
		return r.Event.Facts
	}
	require.Equal(t, facts(attributeDecoder(t)), facts(attributeDecoder(t, "plan", "plan")))
}

// What is found is what encoding/json finds by following the path.
func TestAttributesAreWhereEncodingJSONFindsThem(t *testing.T) {
	names := []string{"a", "b"}
	var value func(t *rapid.T, depth int) string
	value = func(t *rapid.T, depth int) string {
		kinds := []string{`"x"`, `" y "`, `12`, `-1.5e3`, `true`, `false`, `null`, `""`, `[]`, `[{"a":"x"}]`, `{}`}
		if depth > 0 && rapid.IntRange(0, 2).Draw(t, "object") > 0 {
			var members []string
			for range rapid.IntRange(0, 4).Draw(t, "members") {
				members = append(members, fmt.Sprintf("%q :\n%s", rapid.SampledFrom(names).Draw(t, "name"), value(t, depth-1)))
			}
			return "{" + strings.Join(members, " ,") + "}"
		}
		return rapid.SampledFrom(kinds).Draw(t, "value")
	}
	rapid.Check(t, func(t *rapid.T) {
		var paths []string
		for i := range rapid.IntRange(1, MaxAttributes).Draw(t, "paths") {
			path := strings.Join(rapid.SliceOfN(rapid.SampledFrom(names), 1, 3).Draw(t, "path"), ".")
			if !strings.Contains(strings.Join(paths, " ")+" ", " "+path+" ") {
				paths = append(paths, fmt.Sprint("n", i), path)
			}
		}
		record := `{"customer_id":"c","order_id":"1","total":10`
		for _, name := range rapid.Permutation(names).Draw(t, "top") {
			record += fmt.Sprintf(",%q: %s", name, value(t, 3))
		}
		record += "}"
		var want []string
		for i := 0; i < len(paths); i += 2 {
			at := any(json.RawMessage(record))
			for name := range strings.SplitSeq(paths[i+1], ".") {
				raw, _ := at.(json.RawMessage)
				var members map[string]json.RawMessage // into a new one, so that of a repeated member the last counts alone
				if json.Unmarshal(raw, &members) != nil {
					at = nil
					break
				}
				at = members[name]
			}
			raw, _ := at.(json.RawMessage)
			decoder := json.NewDecoder(bytes.NewReader(raw))
			decoder.UseNumber()
			var found any
			_ = decoder.Decode(&found)
			switch found.(type) {
			case string, bool, json.Number:
				if text := strings.TrimSpace(fmt.Sprint(found)); text != "" {
					want = append(want, paths[i]+"="+text)
				}
			}
		}
		require.Equal(t, want, statedOf(t, attributeDecoder(t, paths...), Purchase, record), record)
	})
}

func TestWrongAttributes(t *testing.T) {
	for path, says := range map[string]string{
		"": `it is ""`, "a..b": `it is "a..b"`, ".a": "names with dots between", "a. .b": "names with dots between",
		strings.Repeat("a.", 16) + "a": "16 names", strings.Repeat("a", 201): "200 bytes",
	} {
		_, err := NewDecoder(Options{Attributes: []AttributePath{{"plan", path}}})
		require.ErrorContains(t, err, "attributes.plan: ")
		require.ErrorContains(t, err, says)
	}
	_, err := NewDecoder(Options{Attributes: make([]AttributePath, MaxAttributes+1)})
	require.ErrorContains(t, err, "at most 8")
	_, err = NewDecoder(Options{Attributes: []AttributePath{{"a", "x.y"}, {"b", "x.y"}}})
	require.ErrorContains(t, err, "attributes.b: a has the same path")
}

// Explain shows what was read from which path, and why nothing was.
func TestExplainAttributes(t *testing.T) {
	d := attributeDecoder(t, "region", "customer.region", "plan", "plan", "size", "size")
	got := map[string]FieldReading{}
	for _, r := range d.Explain(Purchase, &Message{Value: []byte(`{"customer_id":"c","order_id":"1","total":10,"customer":{"region":" north "},"plan":{"id":1}}`)}, 1_700_000_000_000) {
		require.True(t, utf8.ValidString(r.Text))
		got[r.Field] = r
	}
	require.Equal(t, FieldReading{Field: "attribute region", From: "customer.region", Text: " north ", Value: "north"}, got["attribute region"])
	require.Equal(t, FieldReading{Field: "attribute plan", From: "plan", Text: `{"id":1}`, Value: "states nothing: text, a number or a boolean is wanted"}, got["attribute plan"])
	require.Equal(t, FieldReading{Field: "attribute size", Value: "states nothing: nothing is at size"}, got["attribute size"])
}

func TestReadingAttributesAllocatesNothing(t *testing.T) {
	d := attributeDecoder(t, "region", "customer.region", "plan", "properties.plan")
	m := Message{Value: []byte(`{"customer_id":"c","order_id":"1","total":10,"customer":{"region":"north"},"properties":{"plan":"pro"}}`), Timestamp: 1_700_000_000_000}
	var r Result
	require.Zero(t, testing.AllocsPerRun(100, func() { _ = d.Decode(Purchase, &m, 1_700_000_000_000, &r) }))
	require.Len(t, r.Event.Attributes, 2)
}
