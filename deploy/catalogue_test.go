package deploy

import (
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/telemetry"
)

// catalogue is all series that a process of Mainstay can have: name to labels.
type catalogue map[string][]string

func newCatalogue(t *testing.T) catalogue {
	t.Helper()
	c := catalogue{}
	telemetry.NewProcess(c, telemetry.Build{}, telemetry.ConfigInfo{})
	telemetry.NewKafka(c)
	telemetry.NewSchemaRegistry(c)
	telemetry.NewRedis(c, func() telemetry.PoolStats { return telemetry.PoolStats{} })
	telemetry.NewIntake(c)
	telemetry.NewFold(c)
	telemetry.NewRefit(c)
	telemetry.NewIngest(c, nil, nil, nil)
	telemetry.NewDeliver(c, nil, nil, nil).Consumer("crm")
	families, err := telemetry.NewRegistry().Gather() // of Go and the process: labels are not looked at
	require.NoError(t, err)
	for _, f := range families {
		c[f.GetName()], c[f.GetName()+"_sum"], c[f.GetName()+"_count"] = nil, nil, nil
	}
	require.Contains(t, c, "mainstay_consumer_lag_records")
	require.Contains(t, c, "mainstay_redis_pool_hits_total")
	require.Contains(t, c, "mainstay_event_age_seconds_bucket")
	require.Equal(t, []string{"topic", "reason"}, c["mainstay_dlq_records_total"])
	return c
}

// desc parses the printed form of a Desc, which has no other way to get its name.
var desc = regexp.MustCompile(`fqName: "([^"]+)".*constLabels: \{([^}]*)\}, variableLabels: \{([^}]*)\}`)

// Register implements prometheus.Registerer: it takes note, and registers nothing.
func (c catalogue) Register(col prometheus.Collector) error {
	all := make(chan *prometheus.Desc, 100)
	col.Describe(all)
	close(all)
	for d := range all {
		m := desc.FindStringSubmatch(d.String())
		labels := strings.FieldsFunc(m[3], func(r rune) bool { return r == ',' })
		if name, _, ok := strings.Cut(m[2], "="); ok {
			labels = append(labels, name)
		}
		c[m[1]] = labels
		if _, ok := col.(prometheus.Observer); ok {
			delete(c, m[1])
			c[m[1]+"_sum"], c[m[1]+"_count"], c[m[1]+"_bucket"] = labels, labels, append(labels, "le")
		}
	}
	return nil
}

// MustRegister implements prometheus.Registerer.
func (c catalogue) MustRegister(all ...prometheus.Collector) {
	for _, col := range all {
		_ = c.Register(col)
	}
}

// Unregister implements prometheus.Registerer.
func (c catalogue) Unregister(prometheus.Collector) bool { return false }

var (
	selector = regexp.MustCompile(`\b((?:mainstay|go|process)_\w+)(?:\{([^}]*)\})?`)
	matcher  = regexp.MustCompile(`(\w+)\s*(?:=~|!~|!=|=)`)
)

// holds makes sure that every series that PromQL names is one that we have, with labels that it has.
func (c catalogue) holds(t *testing.T, where, promql string) (named int) {
	t.Helper()
	for _, m := range selector.FindAllStringSubmatch(promql, -1) {
		name := m[1]
		labels, ok := c[name]
		require.True(t, ok, "%s names %s, which no process has", where, name)
		named++
		if !strings.HasPrefix(name, "mainstay_") {
			continue
		}
		for _, l := range matcher.FindAllStringSubmatch(m[2], -1) {
			require.Contains(t, append([]string{"job", "instance", "namespace"}, labels...), l[1], "%s: a label of %s", where, name)
		}
	}
	return named
}
