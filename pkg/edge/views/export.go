package views

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/mainstay/mainstay/pkg/stream/export"
	"github.com/mainstay/mainstay/pkg/stream/lookup"
)

// ErrExporting means that this process is writing another export: it has memory for one at a time.
var ErrExporting = errors.New("another export is being written; ask again in some seconds")

// Export writes all customers. Like every read of all customers it waits for others; a slow reader of the export keeps nobody waiting, since
// partitions are read one by one.
func (v *Views) Export(ctx context.Context, q *export.Query, to io.Writer) (*export.Manifest, error) {
	select {
	case v.exporting <- struct{}{}:
	default:
		return nil, ErrExporting
	}
	defer func() { <-v.exporting }()
	return export.Write(ctx, inTurn{v.Source, v.scanning}, v.Genesis, q, to)
}

// inTurn is a Source that reads customers only while nobody else reads all of them.
type inTurn struct {
	export.Source

	scanning chan struct{}
}

// Snapshot implements export.Source.
func (s inTurn) Snapshot(ctx context.Context, partition int32) (*lookup.Snapshot, error) {
	select {
	case s.scanning <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for others who read all customers: %w", context.Cause(ctx))
	}
	defer func() { <-s.scanning }()
	return s.Source.Snapshot(ctx, partition) //nolint:wrapcheck // it names the partition
}
