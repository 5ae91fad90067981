package schemas_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/mainstay/mainstay/schemas"
)

func TestFilesAreAsGenerated(t *testing.T) {
	into := t.TempDir()
	out, err := exec.Command("go", "run", "./internal/generate", into).CombinedOutput()
	require.NoError(t, err, "%s", out)
	for _, name := range slices.Concat(schemas.Inputs(), schemas.Outputs()) {
		want, err := os.ReadFile(filepath.Join(into, name+".schema.json"))
		require.NoError(t, err)
		got, err := schemas.JSON(name)
		require.NoError(t, err)
		require.Equal(t, string(want), string(got), "%s: run go generate ./schemas", name)
	}
	want, err := os.ReadFile(filepath.Join(into, "asyncapi.yaml"))
	require.NoError(t, err)
	got, err := os.ReadFile("asyncapi.yaml")
	require.NoError(t, err)
	require.Equal(t, string(want), string(got), "run go generate ./schemas")
	_, err = schemas.JSON("order")
	require.ErrorContains(t, err, `schema "order": there is none`)
}

// TestAsyncAPIRefers checks that every reference in asyncapi.yaml resolves, and that it refers to every schema.
func TestAsyncAPIRefers(t *testing.T) {
	page, err := os.ReadFile("asyncapi.yaml")
	require.NoError(t, err)
	var doc any
	require.NoError(t, yaml.Unmarshal(page, &doc))
	referred := map[string]bool{}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				walk(e)
			}
		case map[string]any:
			for _, e := range v {
				walk(e)
			}
			to, ok := v["$ref"].(string)
			if !ok {
				return
			}
			if path, inside := strings.CutPrefix(to, "#/"); inside {
				at := doc
				for step := range strings.SplitSeq(path, "/") {
					at = at.(map[string]any)[step]
					require.NotNil(t, at, to)
				}
				return
			}
			name := strings.TrimSuffix(strings.TrimPrefix(to, "./"), ".schema.json")
			_, err := schemas.JSON(name)
			require.NoError(t, err)
			referred[name] = true
		}
	}
	walk(doc)
	require.Len(t, referred, len(schemas.Inputs())+len(schemas.Outputs()))
}
