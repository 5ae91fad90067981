package murmur2_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/kafka/murmur2"
)

// The pairs stand in Kafka's own UtilsTest.testMurmur2.
func TestSumAsTheJavaClient(t *testing.T) {
	for key, want := range map[string]int32{
		"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536,
		"a-little-bit-longer-string":                       -1486304829,
		"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
		"abc": 479470107,
		"":    275646681,
	} {
		require.Equal(t, want, int32(murmur2.Sum([]byte(key))), key)
	}
}

func TestPartitionForIsInRange(t *testing.T) {
	for n := int32(1); n < 100; n++ {
		for _, key := range []string{"", "a", "21", "foobar"} {
			p := murmur2.PartitionFor([]byte(key), n)
			require.GreaterOrEqual(t, p, int32(0))
			require.Less(t, p, n)
		}
	}
}
