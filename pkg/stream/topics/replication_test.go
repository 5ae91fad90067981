package topics

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/kafka"
)

// With replication factor 3 every topic that is created acknowledges a record only when two brokers have it.
func TestThreeReplicasNeedTwoInSync(t *testing.T) {
	for replicas, want := range map[int16]string{1: "", 2: "", 3: "2", 5: "2"} {
		for _, w := range (Config{Namespace: "n", Inputs: []string{"a"}, DeadLetters: []string{"b"}, Replicas: replicas}).All() {
			require.Equal(t, want, w.Configs["min.insync.replicas"], "%s with %d replicas", w.Name, replicas)
		}
	}
}

func TestATopicThatOneBrokerAcknowledgesIsReported(t *testing.T) {
	for _, c := range []struct {
		replicas int
		inSync   string
		found    int
	}{{3, "1", 1}, {3, "2", 0}, {5, "1", 1}, {2, "1", 0}, {1, "1", 0}, {3, "", 0}} {
		found := weakReplication(kafka.Topic{Name: "t", Replicas: c.replicas}, c.inSync)
		require.Len(t, found, c.found, "%+v", c)
		for _, f := range found {
			require.Contains(t, f.Text, "--add-config min.insync.replicas=2")
			require.False(t, f.Fatal)
		}
	}
}
