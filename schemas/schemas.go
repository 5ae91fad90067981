// Package schemas owns the JSON Schemas (draft 2020-12) of what comes in and what goes out, and the AsyncAPI document of the topics, as
// other teams may use them, embedded so that commands can write them.
//
// It refuses to validate: reading is the decoder's business (schemas/event), and a test holds the two to the same answer.
package schemas

import (
	"embed"
	"fmt"
	"io/fs"

	"github.com/mainstay/mainstay/schemas/event"
)

//go:generate go run ./internal/generate .

//go:embed *.schema.json asyncapi.yaml
var files embed.FS

// Files are the schemas and asyncapi.yaml, which refers to them by their names.
func Files() fs.FS { return files }

// Inputs are the names of the schemas of what comes in.
func Inputs() []string { return event.KindNames() }

// Outputs are the names of the schemas of what goes out.
func Outputs() []string {
	return []string{"clv", "churn-risk", "promoter-status", "alert", "milestone", "erased", "merged", "portfolio", "segment", "rejection"}
}

// JSON returns the schema of this name.
func JSON(name string) ([]byte, error) {
	b, err := files.ReadFile(name + ".schema.json")
	if err != nil {
		return nil, fmt.Errorf("schema %q: there is none of this name (have %v and %v)", name, Inputs(), Outputs())
	}
	return b, nil
}
