package export

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/mainstay/mainstay/pkg/stream/lookup"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/money"
	"github.com/mainstay/mainstay/schemas/timestamp"
)

// manifestVersion is raised when a field changes its meaning.
const manifestVersion = 1

// Manifest states what an export is. It stands beside the export: CSV has no place for it that spreadsheets tolerate, and all formats have
// it in the same place.
type Manifest struct {
	Version  int      `json:"mainstay_export"`
	LedgerID string   `json:"ledger_id"`
	Logic    int      `json:"logic"` // the version of the logic that scored the customers
	AsOf     []string `json:"as_of"` // by partition: the ledger's time; empty while it is not known
	Offsets  []int64  `json:"offsets"`
	Since    []int64  `json:"since"` // null: all customers
	Format   string   `json:"format"`
	Currency string   `json:"currency"`
	Columns  []string `json:"columns"`
	Where    string   `json:"where"`
	Rows     int64    `json:"rows"`
	RowsOf   []int64  `json:"rows_of_partitions"` // rows are in the order of the partitions, and then of the ids
	SHA256   string   `json:"sha256"`
}

func newManifest(g *ledger.Genesis, q *Query, unit money.Unit) *Manifest {
	m := &Manifest{
		Version: manifestVersion, LedgerID: g.GetLedgerId(), Logic: processors.LogicVersion, Since: q.Since,
		Format: q.Format.Name, Currency: unit.Code, Where: q.Condition,
	}
	for _, c := range q.Columns {
		m.Columns = append(m.Columns, c.Name)
	}
	return m
}

func (m *Manifest) addPartition(p *processors.Partition, offset, rows int64) {
	asOf := ""
	if base, known := p.BaseTime(); known {
		asOf = string(timestamp.Append(nil, base))
	}
	m.AsOf, m.Offsets, m.RowsOf = append(m.AsOf, asOf), append(m.Offsets, offset), append(m.RowsOf, rows)
	m.Rows += rows
}

// Encode returns the manifest as one line of JSON.
func (m *Manifest) Encode() []byte {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(m); err != nil { // texts and numbers can be encoded
		panic(err)
	}
	return text.Bytes()
}

// ParseManifest reads a manifest.
func ParseManifest(text []byte) (*Manifest, error) {
	m := new(Manifest)
	if err := json.Unmarshal(text, m); err != nil {
		return nil, fmt.Errorf("read the manifest: %w", err)
	}
	switch n := len(m.Offsets); {
	case m.Version == 0:
		return nil, fmt.Errorf("read the manifest: it is not of an export of Mainstay")
	case m.Version != manifestVersion:
		return nil, fmt.Errorf("read the manifest: it has version %d, and this release reads %d", m.Version, manifestVersion)
	case n == 0 || len(m.RowsOf) != n || m.Since != nil && len(m.Since) != n:
		return nil, fmt.Errorf("read the manifest: offsets, rows_of_partitions and since do not have one number for each partition")
	}
	return m, nil
}

// Query returns what was exported. attributes are the names of those that there are.
func (m *Manifest) Query(attributes []string) (q *Query, err error) {
	q = &Query{Condition: m.Where, Since: m.Since}
	if q.Format, err = FormatNamed(m.Format); err != nil {
		return nil, fmt.Errorf("the manifest: %w", err)
	}
	if q.Columns, err = ParseColumns(m.Columns, attributes); err != nil {
		return nil, fmt.Errorf("the manifest: columns: %w", err)
	}
	if q.Where, err = lookup.ParseConditions(m.Where, attributes); err != nil {
		return nil, fmt.Errorf("the manifest: where: %w", err)
	}
	return q, nil
}
