package telemetry

import (
	"maps"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// PartitionAges is a gauge of seconds per topic and partition that is computed at each scrape. A series keeps growing while nobody sets
// it, because the goroutine that would do so waits for a server, hangs or has ended: a gauge that is only set would show its last value,
// which says that all is well. It is safe for concurrent use.
type PartitionAges struct {
	desc *prometheus.Desc
	now  func() time.Time

	mu    sync.Mutex
	began map[ageKey]time.Time
}

// ageKey names a series, and who reports it: of several reports of one series the greatest age is exported.
type ageKey struct{ source, topic, partition string }

func newPartitionAges(reg prometheus.Registerer, name, help string, group prometheus.Labels, topic, partition string) *PartitionAges {
	return register(reg, &PartitionAges{
		desc: prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, []string{topic, partition}, group),
		now:  time.Now, began: map[ageKey]time.Time{},
	})
}

// Set sets the age of a series, which grows from now on.
func (a *PartitionAges) Set(source, topic, partition string, age time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.began[ageKey{source, topic, partition}] = a.now().Add(-age)
}

// Begin sets the age of a series to 0 unless the source has reported it before.
func (a *PartitionAges) Begin(source, topic, partition string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if key := (ageKey{source, topic, partition}); a.began[key].IsZero() {
		a.began[key] = a.now()
	}
}

// Age returns the age that a source has reported; false if there is none.
func (a *PartitionAges) Age(source, topic, partition string) (time.Duration, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	began, ok := a.began[ageKey{source, topic, partition}]
	return a.now().Sub(began), ok
}

// Delete deletes what a source has reported of a series.
func (a *PartitionAges) Delete(source, topic, partition string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.began, ageKey{source, topic, partition})
}

// DeleteSource deletes all that a source has reported.
func (a *PartitionAges) DeleteSource(source string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	maps.DeleteFunc(a.began, func(key ageKey, _ time.Time) bool { return key.source == source })
}

// Describe implements prometheus.Collector.
func (a *PartitionAges) Describe(to chan<- *prometheus.Desc) { to <- a.desc }

// Collect implements prometheus.Collector.
func (a *PartitionAges) Collect(to chan<- prometheus.Metric) {
	a.mu.Lock()
	now := a.now()
	//mutant:ages-stand-still replace oldest := map[ageKey]time.Duration{}; now = time.UnixMilli(0)
	oldest := map[ageKey]time.Duration{}
	for key, began := range a.began {
		key.source = ""
		oldest[key] = max(oldest[key], now.Sub(began))
	}
	a.mu.Unlock()
	for key, age := range oldest {
		to <- prometheus.MustNewConstMetric(a.desc, prometheus.GaugeValue, age.Seconds(), key.topic, key.partition)
	}
}
