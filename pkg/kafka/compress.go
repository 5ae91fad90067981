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

// codec is the compression of a batch, as in the lowest bits of its attributes.
type codec uint16

const (
	codecNone codec = iota
	codecGzip
	codecSnappy
	codecLZ4
	codecZstd
)

// codecNamed is the codec behind a name in Config; false where it is none that can be written.
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

// maxInflated bounds what one batch may grow to, in bytes: what a broker accepts is bounded before decompression only.
const maxInflated = 256 << 20

var errInflated = fmt.Errorf("%w: more than %d bytes after decompression", ErrCorrupt, maxInflated)

// packer compresses. Encoders are large and slow to make, so that each writer keeps its own; they are not shared by way of
// a pool, because they hold channels, which a synctest bubble does not let out.
type packer struct {
	lz4  *lz4.Writer
	zstd *zstd.Encoder
}

// compress appends src, compressed, to dst.
func (p *packer) compress(c codec, dst, src []byte) ([]byte, error) {
	switch c {
	case codecLZ4:
		if p.lz4 == nil {
			p.lz4 = lz4.NewWriter(nil)
			// Java's reader accepts frames without a checksum; the batch has its own CRC.
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

// unpacker decompresses; each decoder keeps its own, see packer.
type unpacker struct {
	gzip *gzip.Reader
	lz4  *lz4.Reader
	zstd *zstd.Decoder
}

// decompress appends src, decompressed, to dst.
func (u *unpacker) decompress(c codec, dst, src []byte) ([]byte, error) {
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
		return unsnappy(dst, src)
	case codecLZ4:
		if u.lz4 == nil {
			u.lz4 = lz4.NewReader(nil)
		}
		u.lz4.Reset(bytes.NewReader(src))
		return readAll(dst, u.lz4)
	case codecZstd:
		if u.zstd == nil {
			// Concurrency 1 and no stream: such a decoder has no goroutines, and needs no closing.
			r, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxInflated))
			if err != nil {
				return nil, err
			}
			u.zstd = r
		}
		return u.zstd.DecodeAll(src, dst)
	default:
		return nil, fmt.Errorf("unknown codec %d", c)
	}
}

func readAll(dst []byte, r io.Reader) ([]byte, error) {
	for start := len(dst); ; {
		dst = slices.Grow(dst, 64<<10)
		n, err := r.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		if len(dst)-start > maxInflated {
			return nil, errInflated
		}
		if errors.Is(err, io.EOF) {
			return dst, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// xerial is how Java's snappy stream begins; two version numbers follow, then blocks behind their lengths. Other clients
// write one bare block.
const xerial = "\x82SNAPPY\x00"

func unsnappy(dst, src []byte) ([]byte, error) {
	if !bytes.HasPrefix(src, []byte(xerial)) {
		return unsnappyBlock(dst, src)
	}
	c := cursor{b: src}
	c.take(len(xerial) + 8)
	start := len(dst)
	for len(c.b) > 0 {
		block := c.take(int(c.i32()))
		if c.bad {
			return nil, errShort
		}
		var err error
		if dst, err = unsnappyBlock(dst, block); err != nil {
			return nil, err
		}
		if len(dst)-start > maxInflated {
			return nil, errInflated
		}
	}
	if c.bad {
		return nil, errShort
	}
	return dst, nil
}

func unsnappyBlock(dst, block []byte) ([]byte, error) {
	n, err := snappy.DecodedLen(block)
	if err != nil {
		return nil, err
	}
	if n > maxInflated {
		return nil, errInflated
	}
	dst = slices.Grow(dst, n)
	if _, err := snappy.Decode(dst[len(dst):len(dst)+n], block); err != nil {
		return nil, err
	}
	return dst[:len(dst)+n], nil
}
