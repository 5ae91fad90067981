package audit_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/ops/audit"
	"github.com/mainstay/mainstay/pkg/registry"
	"github.com/mainstay/mainstay/pkg/stream/encoded"
	"github.com/mainstay/mainstay/pkg/stream/export"
	"github.com/mainstay/mainstay/pkg/stream/topics"
	"github.com/mainstay/mainstay/pkg/testbed/schemaregistry"
	"github.com/mainstay/mainstay/schemas/encoding"
	"github.com/mainstay/mainstay/schemas/output"
)

// Whatever outputs are encoded in, they are compared byte by byte, each in its own encoding: topics have records of several.
func TestEncodedOutputs(t *testing.T) {
	schemas := schemaregistry.Start()
	t.Cleanup(schemas.Close)
	r, err := registry.New(registry.Config{URLs: []string{schemas.URL}, Timeout: time.Minute})
	require.NoError(t, err)
	t.Cleanup(r.Close)
	g, err := topics.Genesis(t.Context(), readHistory(t).start(t).kafka, namespace)
	require.NoError(t, err)
	base, err := export.UnitOf(g)
	require.NoError(t, err)
	for name, c := range map[string]struct {
		encoding encoding.Encoding
		alter    func(value []byte) int // the byte that is altered; nil: none
	}{
		"avro":                            {encoding.Avro, nil},
		"connect-json":                    {encoding.ConnectJSON, nil},
		"avro, another id":                {encoding.Avro, func([]byte) int { return 4 }},
		"avro, an altered byte":           {encoding.Avro, func(value []byte) int { return len(value) / 2 }},
		"connect-json, one in the schema": {encoding.ConnectJSON, func(value []byte) int { return len(value) / 4 }},
		"connect-json, the last":          {encoding.ConnectJSON, func(value []byte) int { return len(value) - 1 }},
	} {
		t.Run(name, func(t *testing.T) {
			h := readHistory(t)
			outputs := func(e encoding.Encoding) *encoded.Outputs {
				o, err := encoded.New(encoded.Config{Namespace: namespace, Encoding: e, Base: base, Registry: r, Register: true})
				require.NoError(t, err)
				require.NoError(t, o.Prepare(t.Context()))
				return o
			}
			publishing := outputs(c.encoding)
			for topic := range output.Topics {
				l := h.log(topic.Name(namespace), 1)
				for i := range l.Records {
					if value := l.Records[i].Value; value != nil && i%3 > 0 { // the others are in JSON
						l.Records[i].Value, err = publishing.Append(t.Context(), nil, topic, value)
						require.NoError(t, err, "%s", value)
					}
				}
			}
			if c.alter != nil {
				l := h.log(output.CLV.Name(namespace), 1)
				at := l.recent() - l.recent()%3 + 1
				value := l.Records[at].Value
				value[c.alter(value)] ^= 1
			}
			l := h.start(t)
			got, err := audit.Run(t.Context(), audit.Config{Namespace: namespace, Genesis: g, Outputs: outputs(encoding.JSON), Patience: 10 * time.Second, Now: time.Now}, l.kafka, nil)
			require.NoError(t, err)
			if c.alter == nil {
				require.Empty(t, got.Findings)
				require.Positive(t, got.Outputs)
				return
			}
			require.Len(t, got.Findings, 1)
			require.Equal(t, audit.Differing, got.Findings[0].Kind)
			require.Contains(t, got.Findings[0].Detail, "with another value")
		})
	}
}
