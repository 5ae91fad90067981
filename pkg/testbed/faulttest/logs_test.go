package faulttest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/node/config"
	"github.com/mainstay/mainstay/pkg/telemetry"
)

// A rejected event is logged with the hash of its customer under the configured key, and no line contains the id.
func TestLogsIdentifyCustomersByHash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const key, customer = "a key that operators have", "anna@example.org"
		var lines bytes.Buffer
		log, _, err := telemetry.NewLogger(&lines, "json", "debug")
		require.NoError(t, err)
		w, err := newWorld(4, nil, rand.New(rand.NewPCG(1, 1)), newCoverage(), log)
		require.NoError(t, err)
		defer w.close()
		w.cfg.Log.CustomerKey = config.NewSecret(key)
		stop := w.startBothRoles()
		producer, err := w.client.Kafka.NewProducer(w.ctx)
		require.NoError(t, err)
		for _, total := range []int{10, 20} { // one event_id with other content
			w.produce(producer, "purchases", fmt.Appendf(nil, `{"event_id":"e","customer_id":%q,"order_id":"o","total":%d,"currency":"USD","occurred_at":%q}`,
				customer, total, time.Now().UTC().Format(time.RFC3339)))
		}
		time.Sleep(5 * time.Second)
		stop()

		rejected := ""
		for line := range strings.Lines(lines.String()) {
			require.NotContains(t, line, customer)
			if strings.Contains(line, `"event rejected"`) {
				rejected += line
			}
		}
		require.Contains(t, rejected, `"reason":"event_conflict"`)
		require.Contains(t, rejected, `"customer":"`+telemetry.NewCustomerHasher(key).Hash(customer)+`"`)
	})
}
