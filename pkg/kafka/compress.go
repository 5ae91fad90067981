package kafka

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// codec is the compression of a batch, as encoded in the lowest three bits of its attributes.
type codec uint16

const (
	codecNone codec = iota
	codecGzip
	codecSnappy
	codecLZ4
	codecZstd
)

// codecNamed returns the codec for Config.Compression; false if this package cannot write it.
func codecNamed(name string) (codec, bool) {
	switch name {
	case "", "none":
		return codecNone, true
	case "lz4":
		return codecLZ4, true
	case "zstd":
		return codecZstd, true
	default:
		return codecNone, false
	}
}

// maxReadBatchBytes bounds a batch that is read, as it is sent and after decompression. Brokers bound only the former, by a setting of the
// topic, and 1 MB of zstd can hold 1 GB.
const maxReadBatchBytes = 32 << 20

var errTooLarge = fmt.Errorf("%w: more than %d bytes", ErrCorrupt, maxReadBatchBytes)

// compressor compresses batches. Encoders are large and expensive to create, so each batchWriter keeps its own. They are not shared through
// a pool, because they hold channels, which must not leave a synctest bubble.
type compressor struct {
	lz4  *lz4.Writer
	zstd *zstd.Encoder
}

// compress appends the compressed src to dst.
func (p *compressor) compress(c codec, dst, src []byte) ([]byte, error) {
	switch c {
	case codecLZ4:
		if p.lz4 == nil {
			p.lz4 = lz4.NewWriter(nil)
			// Consumers accept frames without a checksum; the batch has its own CRC.
			if err := p.lz4.Apply(lz4.ChecksumOption(false), lz4.BlockSizeOption(lz4.Block256Kb), lz4.ConcurrencyOption(1)); err != nil {
				return nil, err
			}
		}
		p.lz4.Reset((*appender)(&dst))
		if _, err := p.lz4.Write(src); err != nil {
			return nil, err
		}
		if err := p.lz4.Close(); err != nil {
			return nil, err
		}
		return dst, nil
	case codecZstd:
		if p.zstd == nil {
			w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderCRC(false))
			if err != nil {
				return nil, err
			}
			p.zstd = w
		}
		return p.zstd.EncodeAll(src, dst), nil
	default:
		return nil, fmt.Errorf("codec %d cannot be written", c)
	}
}

type appender []byte

func (a *appender) Write(p []byte) (int, error) {
	*a = append(*a, p...)
	return len(p), nil
}

// decompressor decompresses batches; each recordSetDecoder keeps its own, as with compressor.
type decompressor struct {
	gzip *gzip.Reader
	lz4  *lz4.Reader
	zstd *zstd.Decoder
}

// decompress appends the decompressed src to dst, which is empty.
func (u *decompressor) decompress(c codec, dst, src []byte) ([]byte, error) {
	switch c {
	case codecGzip:
		if u.gzip == nil {
			u.gzip = new(gzip.Reader)
		}
		if err := u.gzip.Reset(bytes.NewReader(src)); err != nil {
			return nil, err
		}
		return readAll(dst, u.gzip)
	case codecSnappy:
		return decodeSnappy(dst, src)
	case codecLZ4:
		if u.lz4 == nil {
			u.lz4 = lz4.NewReader(nil)
		}
		u.lz4.Reset(bytes.NewReader(src))
		return readAll(dst, u.lz4)
	case codecZstd:
		if u.zstd == nil {
			// With concurrency 1 and without a stream the decoder has no goroutines and need not be closed.
			r, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxReadBatchBytes))
			if err != nil {
				return nil, err
			}
			u.zstd = r
		}
		data, err := u.zstd.DecodeAll(src, dst)
		if errors.Is(err, zstd.ErrDecoderSizeExceeded) || errors.Is(err, zstd.ErrWindowSizeExceeded) {
			err = errTooLarge
		}
		return data, err
	default:
		return nil, fmt.Errorf("unknown codec %d", c)
	}
}

func readAll(dst []byte, r io.Reader) ([]byte, error) {
	for start := len(dst); ; {
		dst = slices.Grow(dst, 64<<10)
		n, err := r.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		if len(dst)-start > maxReadBatchBytes {
			return nil, errTooLarge
		}
		if errors.Is(err, io.EOF) {
			return dst, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// xerialMagic starts the snappy framing of Java clients; two version numbers follow, then blocks with their lengths. Other clients write a
// single block without framing.
const xerialMagic = "\x82SNAPPY\x00"

func decodeSnappy(dst, src []byte) ([]byte, error) {
	if !bytes.HasPrefix(src, []byte(xerialMagic)) {
		return decodeSnappyBlock(dst, src)
	}
	c := responseReader{rest: src}
	c.next(len(xerialMagic) + 8)
	start := len(dst)
	for len(c.rest) > 0 {
		block := c.next(int(c.i32()))
		if c.short {
			return nil, errShortResponse
		}
		var err error
		if dst, err = decodeSnappyBlock(dst, block); err != nil {
			return nil, err
		}
		if len(dst)-start > maxReadBatchBytes {
			return nil, errTooLarge
		}
	}
	if c.short {
		return nil, errShortResponse
	}
	return dst, nil
}

func decodeSnappyBlock(dst, block []byte) ([]byte, error) {
	n, err := snappy.DecodedLen(block)
	if err != nil {
		return nil, err
	}
	if n > maxReadBatchBytes {
		return nil, errTooLarge
	}
	dst = slices.Grow(dst, n)
	if _, err := snappy.Decode(dst[len(dst):len(dst)+n], block); err != nil {
		return nil, err
	}
	return dst[:len(dst)+n], nil
}
