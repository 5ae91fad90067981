package kafka

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func sealed(t testing.TB, b *Batch, id producerIdentity, c codec) []byte {
	t.Helper()
	wire, err := b.seal(id, 0, c, new(compressor))
	require.NoError(t, err)
	return slices.Clone(wire)
}

func at(wire []byte, base int64) []byte {
	wire = slices.Clone(wire)
	binary.BigEndian.PutUint64(wire, uint64(base)) // not covered by the CRC
	return wire
}

// marker is a control batch as a broker writes it.
func marker(producer, offset int64, kind uint16) []byte {
	b := NewBatch("", 0)
	b.Append(1, []byte{0, 0, byte(kind >> 8), byte(kind)}, []byte{0, 0, 0, 0, 0, 0}, nil)
	wire, _ := b.seal(producerIdentity{producer: producer, transactional: true}, -1, codecNone, new(compressor))
	binary.BigEndian.PutUint16(wire[atAttributes:], attrControl|attrTransactional)
	binary.BigEndian.PutUint32(wire[atCRC:], checksum(wire[atAttributes:]))
	return at(wire, offset)
}

func TestBatchGoldenBytes(t *testing.T) {
	b := NewBatch("t", 3)
	b.Append(1700000000000, []byte("k"), []byte("v"), EncodeHeaders(nil, []Header{{"h", []byte("x")}, {"n", nil}}))
	b.Append(1700000000005, nil, []byte{}, nil)
	wire := sealed(t, b, producerIdentity{producer: 7, epoch: 2, transactional: true}, codecNone)
	require.Equal(t, ""+
		"0000000000000000"+"00000048"+"ffffffff"+"02"+"5bc611dc"+"0010"+"00000001"+
		"0000018bcfe56800"+"0000018bcfe56805"+"0000000000000007"+"0002"+"00000000"+"00000002"+
		"1e"+"00"+"00"+"00"+"02"+"6b"+"02"+"76"+"04"+"02"+"68"+"02"+"78"+"02"+"6e"+"01"+
		"0c"+"00"+"0a"+"02"+"01"+"00"+"00", hex.EncodeToString(wire))

	// Another implementation reads the same.
	var other kmsg.RecordBatch
	require.NoError(t, other.ReadFrom(wire))
	require.Equal(t, int32(checksum(wire[atAttributes:])), other.CRC)
	require.Equal(t, int32(2), other.NumRecords)
	var r kmsg.Record
	require.NoError(t, r.ReadFrom(other.Records))
	require.Equal(t, "k", string(r.Key))
	require.Len(t, r.Headers, 2)
}

func TestRoundTrip(t *testing.T) {
	for _, c := range []codec{codecNone, codecLZ4, codecZstd} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, uint64(c)))
			b := NewBatch("t", 0)
			var want []Record
			for i := range 500 {
				r := Record{Offset: 1000 + int64(i), Timestamp: 1_700_000_000_000 + rng.Int64N(1e9) - 5e8}
				if rng.IntN(4) > 0 {
					r.Key = bytes.Repeat([]byte{'k'}, rng.IntN(300))
				}
				if rng.IntN(4) > 0 {
					r.Value = bytes.Repeat([]byte{'v'}, rng.IntN(3000))
				}
				r.headers = EncodeHeaders(nil, []Header{{"a", []byte{}}, {"b", nil}, {"c", []byte("é")}}[:rng.IntN(4)])
				b.Append(r.Timestamp, r.Key, r.Value, r.headers)
				want = append(want, r)
			}
			set := at(sealed(t, b, producerIdentity{}, c), 1000)
			var d recordSetDecoder
			got, next, wanted, err := d.decode(set, 1000, nil)
			require.NoError(t, err)
			require.Zero(t, wanted)
			require.Equal(t, int64(1500), next)
			require.Equal(t, want, got) // nil and empty differ

			got, _, _, err = d.decode(set, 1200, nil) // a batch may begin before what was asked for
			require.NoError(t, err)
			require.Equal(t, want[200:], got)
		})
	}
}

func TestReadsWhatJavaCompresses(t *testing.T) {
	b := NewBatch("t", 0)
	for i := range 100 {
		b.Append(int64(i), fmt.Append(nil, "key", i), bytes.Repeat([]byte("value"), i), nil)
	}
	plain := sealed(t, b, producerIdentity{}, codecNone)
	repack := func(c codec, data []byte) []byte {
		wire := append(slices.Clone(plain[:batchHeader]), data...)
		binary.BigEndian.PutUint16(wire[atAttributes:], uint16(c))
		binary.BigEndian.PutUint32(wire[atLength:], uint32(len(wire)-atLeaderEpoch))
		binary.BigEndian.PutUint32(wire[atCRC:], checksum(wire[atAttributes:]))
		return wire
	}
	records := plain[batchHeader:]
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	_, _ = w.Write(records)
	require.NoError(t, w.Close())
	framed := append([]byte(xerialMagic), 0, 0, 0, 1, 0, 0, 0, 1)
	for part := range slices.Chunk(records, 3000) {
		block := snappy.Encode(nil, part)
		framed = append(binary.BigEndian.AppendUint32(framed, uint32(len(block))), block...)
	}
	for name, set := range map[string][]byte{
		"gzip": repack(codecGzip, z.Bytes()), "snappy in Java's frames": repack(codecSnappy, framed),
		"snappy": repack(codecSnappy, snappy.Encode(nil, records)),
	} {
		var d recordSetDecoder
		got, next, _, err := d.decode(set, 0, nil)
		require.NoError(t, err, name)
		require.Len(t, got, 100, name)
		require.Equal(t, int64(100), next, name)
		require.Equal(t, "key99", string(got[99].Key), name)
	}
}

func TestDecodeRefusesWhatIsBroken(t *testing.T) {
	b := NewBatch("t", 0)
	b.Append(1, []byte("k"), []byte("v"), nil)
	good := sealed(t, b, producerIdentity{}, codecNone)
	var d recordSetDecoder

	for i := atAttributes; i < len(good); i++ { // every byte that the CRC covers
		bad := slices.Clone(good)
		bad[i] ^= 0x40
		_, next, _, err := d.decode(bad, 0, nil)
		require.ErrorIs(t, err, ErrCorrupt, "byte %d", i)
		require.Zero(t, next)
	}
	for n := range len(good) { // cut off: no error, no progress, and it says how much it needs
		got, next, wanted, err := d.decode(good[:n], 0, nil)
		require.NoError(t, err, "%d bytes", n)
		require.Empty(t, got)
		require.Zero(t, next)
		if n > 0 {
			require.Greater(t, wanted, n)
		}
	}
	// What can be read is handed out first; the next fetch begins with the error.
	bad := at(good, 1)
	bad[len(bad)-1] ^= 1
	got, next, _, err := d.decode(append(slices.Clone(good), bad...), 0, nil)
	require.NoError(t, err)
	require.Len(t, got, 1)
	require.Equal(t, int64(1), next)
	_, _, _, err = d.decode(bad, 1, nil)
	require.ErrorIs(t, err, ErrCorrupt)
}

func TestAbortedTransactionsAreFiltered(t *testing.T) {
	const commit, abort = 1, 0
	write := func(producer, offset int64, transactional bool, values ...string) []byte {
		b := NewBatch("t", 0)
		for _, v := range values {
			b.Append(1, nil, []byte(v), nil)
		}
		return at(sealed(t, b, producerIdentity{producer: producer, transactional: transactional}, codecNone), offset)
	}
	set := slices.Concat(
		write(1, 0, true, "a0", "a1"), write(2, 2, true, "c0"), write(1, 3, true, "a2"), write(9, 4, false, "plain"),
		marker(1, 5, abort), marker(2, 6, commit), write(1, 7, true, "c1"), marker(1, 8, commit),
		write(1, 9, true, "a3"), write(2, 10, true, "a4"), marker(2, 11, abort), write(2, 12, true, "c2"),
		marker(1, 13, abort), marker(2, 14, commit),
	)
	var d recordSetDecoder
	read := func(set []byte, from int64, list ...abortedTransaction) (values []string, next int64) {
		d.aborted = append(d.aborted[:0], list...)
		got, next, _, err := d.decode(set, from, nil)
		require.NoError(t, err)
		for _, r := range got {
			values = append(values, string(r.Value))
		}
		return values, next
	}
	values, next := read(set, 0, abortedTransaction{1, 9}, abortedTransaction{2, 10}, abortedTransaction{1, 0}) // not sorted
	require.Equal(t, []string{"c0", "plain", "c1", "c2"}, values)
	require.Equal(t, int64(15), next, "past the markers")

	values, _ = read(set, 4, abortedTransaction{1, 0}, abortedTransaction{1, 9}, abortedTransaction{2, 10}) // begins in the middle
	require.Equal(t, []string{"plain", "c1", "c2"}, values)

	// A compacted log: the batch is there, its records are not.
	empty := write(1, 15, false, "x", "y")[:batchHeader]
	binary.BigEndian.PutUint32(empty[atLength:], batchHeader-atLeaderEpoch)
	binary.BigEndian.PutUint32(empty[atCount:], 0)
	binary.BigEndian.PutUint32(empty[atCRC:], checksum(empty[atAttributes:]))
	values, next = read(empty, 15)
	require.Empty(t, values)
	require.Equal(t, int64(17), next)
}

func TestLogAppendTime(t *testing.T) {
	b := NewBatch("t", 0)
	b.Append(10, nil, nil, nil)
	b.Append(20, nil, nil, nil)
	set := sealed(t, b, producerIdentity{}, codecNone)
	binary.BigEndian.PutUint16(set[atAttributes:], attrLogAppendTime)
	binary.BigEndian.PutUint64(set[atMaxTimestamp:], 12345)
	binary.BigEndian.PutUint32(set[atCRC:], checksum(set[atAttributes:]))
	var d recordSetDecoder
	got, _, _, err := d.decode(set, 0, nil)
	require.NoError(t, err)
	require.Equal(t, []int64{12345, 12345}, []int64{got[0].Timestamp, got[1].Timestamp})
}

func TestBatchIsFullBeforeTheBrokerRefusesIt(t *testing.T) {
	b := NewBatch("t", 0)
	require.False(t, b.Full(5<<20), "an empty batch takes anything")
	value := make([]byte, 200)
	for !b.Full(len(value)) {
		b.Append(int64(b.Len())*1e9, nil, value, nil)
	}
	require.LessOrEqual(t, b.Bytes(), MaxBatchBytes)
	require.Greater(t, b.Bytes(), MaxBatchBytes-300)
	b.Reset()
	require.Zero(t, b.Len())
	require.Equal(t, batchHeader, b.Bytes())
}

// Bytes that an unanswered request may still be writing never change.
func TestLentBytesStay(t *testing.T) {
	for name, change := range map[string]func(*Batch){
		"append": func(b *Batch) { b.Append(2, nil, []byte("new"), nil) },
		"seal":   func(b *Batch) { _, _ = b.seal(producerIdentity{producer: 99}, 5, codecNone, new(compressor)) },
		"reset":  func(b *Batch) { b.Reset(); b.Append(2, nil, []byte("new"), nil) },
	} {
		b := NewBatch("t", 0)
		b.Append(1, nil, []byte("old"), nil)
		wire, err := b.seal(producerIdentity{producer: 1}, 0, codecNone, new(compressor))
		require.NoError(t, err)
		before := slices.Clone(wire)
		b.shared = true
		change(b)
		require.Equal(t, before, wire, name)
	}
}

func TestHeaders(t *testing.T) {
	raw := EncodeHeaders(nil, []Header{{"a", []byte("1")}, {"b", nil}, {"a", []byte("2")}})
	raw = AppendHeaders(nil, raw, []Header{{"why", []byte("bad")}})
	r := Record{headers: raw}
	var names []string
	for k, v := range r.Headers() {
		names = append(names, fmt.Sprintf("%s=%s/%t", k, v, v == nil))
	}
	require.Equal(t, []string{"a=1/false", "b=/true", "a=2/false", "why=bad/false"}, names)
	v, ok := r.Header("a")
	require.True(t, ok)
	require.Equal(t, "1", string(v))
	_, ok = r.Header("c")
	require.False(t, ok)
	require.Equal(t, raw, Record{headers: AppendHeaders(nil, raw, nil)}.RawHeaders())
	require.Equal(t, EncodeHeaders(nil, []Header{{"x", nil}}), AppendHeaders(nil, nil, []Header{{"x", nil}}))
	require.Zero(t, testing.AllocsPerRun(100, func() { r.Header("why") }))
}

func FuzzDecodeRecordSet(f *testing.F) {
	b := NewBatch("t", 0)
	b.Append(1, []byte("k"), []byte("v"), EncodeHeaders(nil, []Header{{"h", []byte("x")}}))
	b.Append(2, nil, nil, nil)
	for _, c := range []codec{codecNone, codecLZ4, codecZstd} {
		f.Add(sealed(f, b, producerIdentity{producer: 1, transactional: true}, c), int64(0))
	}
	f.Add(marker(1, 0, 0), int64(0))
	f.Add([]byte{}, int64(5))
	f.Fuzz(func(t *testing.T, set []byte, from int64) {
		if from < 0 {
			return
		}
		// With a right CRC, so that the fuzzer gets past it.
		if len(set) >= batchHeader {
			set = slices.Clone(set)
			if size := int(int32(binary.BigEndian.Uint32(set[atLength:]))) + atLeaderEpoch; size >= batchHeader && size <= len(set) {
				binary.BigEndian.PutUint32(set[atCRC:], checksum(set[atAttributes:size]))
			}
		}
		d := recordSetDecoder{aborted: []abortedTransaction{{1, 0}}}
		got, next, _, err := d.decode(set, from, nil)
		if next < from || (err != nil && (next != from || len(got) != 0)) {
			t.Fatalf("next %d of %d, %d records, %v", next, from, len(got), err)
		}
		for _, r := range got {
			if r.Offset < from || r.Offset >= next {
				t.Fatalf("record %d outside %d..%d", r.Offset, from, next)
			}
			for range r.Headers() { // only that it ends
			}
		}
	})
}

func benchBatch(n int) *Batch {
	b := NewBatch("t", 0)
	value, headers := make([]byte, 190), EncodeHeaders(nil, []Header{{"ledger", []byte("12345678")}})
	for i := range n {
		b.Append(int64(i), []byte("customer-12345"), value, headers)
	}
	return b
}

func BenchmarkEncode(b *testing.B) {
	const n = 4000
	batch := NewBatch("t", 0)
	key, value, headers := []byte("customer-12345"), make([]byte, 190), EncodeHeaders(nil, []Header{{"ledger", []byte("12345678")}})
	b.ReportAllocs()
	for b.Loop() {
		batch.Reset()
		for i := range n {
			batch.Append(int64(i), key, value, headers)
		}
		if _, err := batch.seal(producerIdentity{}, 0, codecNone, nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/record")
}

func BenchmarkDecode(b *testing.B) {
	const n = 4000
	for _, c := range []codec{codecNone, codecLZ4, codecZstd} {
		set := sealed(b, benchBatch(n), producerIdentity{}, c)
		b.Run(fmt.Sprintf("codec=%d", c), func(b *testing.B) {
			var d recordSetDecoder
			var out []Record
			b.ReportAllocs()
			for b.Loop() {
				d.reset()
				var err error
				if out, _, _, err = d.decode(set, 0, out[:0]); err != nil || len(out) != n {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/record")
		})
	}
}
