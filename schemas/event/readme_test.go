package event

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The examples of the README are read as it says.
func TestExamplesOfTheReadme(t *testing.T) {
	page, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	all := inputSchemas(t)
	d := decoder(t, options())
	read := 0
	for _, block := range regexp.MustCompile("(?s)```json\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
		documents := json.NewDecoder(strings.NewReader(block[1]))
		for kind := Kind(0); documents.More(); kind++ {
			var doc json.RawMessage
			require.NoError(t, documents.Decode(&doc))
			x := &record{kind: kind, opts: options(), value: string(doc), timestamp: now - 1000}
			require.NotNil(t, agree(t, all[kind], d, new(Result), x).event, "%s", doc)
			read++
		}
	}
	require.Equal(t, 14, read)
}
