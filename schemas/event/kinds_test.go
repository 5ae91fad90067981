package event_test

import (
	"go/scanner"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// filesOfKind are all files written by hand that a kind of event touches, tests and the test bed apart. engagement, which came last, stands for
// every kind.
var filesOfKind = []string{
	"processors/step.go",          // what the fold does with it
	"schemas/event/engagement.go", // its descriptor and its body
	"schemas/event/kinds.go",
	"schemas/ledger/decode.go",
	"schemas/ledger/ledger.proto",
}

// filesOfAnswers remember and show what is computed of engagement, as other kinds have such files: each by its name, so that a list of kinds in
// another one is found.
var filesOfAnswers = []string{
	"cmd/mutants/table.go",
	"pkg/edge/api/answers.go",
	"pkg/edge/pages/customer.go",
	"pkg/locale/text.go",
	"pkg/sandbox/ruletest/parse.go",
	"pkg/stream/lookup/dimensions.go",
	"pkg/stream/lookup/explanation.go",
	"pkg/stream/lookup/figures.go",
	"pkg/stream/lookup/text.go",
	"processors/alert/describe.go",
	"processors/alert/metric.go",
	"processors/customer/asof.go",
	"processors/customer/engagement.go",
	"processors/customer/merge.go",
	"processors/customer/state.go",
	"processors/customer/wire.go",
	"processors/explain.go",
	"processors/lookup.go",
	"processors/segment/dimensions.go",
	"schemas/state/state.proto",
}

// A kind is declared once: what treats the kinds alike walks the descriptors, so that another kind touches few files.
func TestKindTouchesFewFiles(t *testing.T) {
	const kind, most = "engagement", 8
	require.LessOrEqual(t, len(filesOfKind), most)
	var found []string
	root := filepath.Join("..", "..")
	require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := filepath.ToSlash(strings.TrimPrefix(path, root+string(filepath.Separator)))
		if d.IsDir() {
			if name == "pkg/testbed" || name == "bin" || path != root && strings.HasPrefix(d.Name(), ".") {
				return fs.SkipDir
			}
			return nil
		}
		if isWrittenByHand(name) {
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			if namesKind(text, kind, filepath.Ext(name) == ".go") {
				found = append(found, name)
			}
		}
		return nil
	}))
	slices.Sort(found)
	require.Equal(t, slices.Sorted(slices.Values(slices.Concat(filesOfKind, filesOfAnswers))), found, "files that name a kind of event: a list of kinds belongs into Descriptor (schemas/event/kinds.go), which all others walk")
}

func isWrittenByHand(name string) bool {
	switch filepath.Ext(name) {
	case ".go":
		return !strings.HasSuffix(name, "_test.go") && !strings.HasSuffix(name, ".pb.go")
	case ".proto", ".tmpl", ".html":
		return true
	}
	return false
}

// namesKind reports whether a source names a kind outside of comments.
func namesKind(text []byte, kind string, isGo bool) bool {
	isNamed := func(s string) bool { return strings.Contains(strings.ToLower(s), kind) }
	if !isNamed(string(text)) {
		return false
	}
	if !isGo {
		for line := range strings.Lines(string(text)) {
			code, _, _ := strings.Cut(line, "//")
			if isNamed(code) {
				return true
			}
		}
		return false
	}
	var s scanner.Scanner
	set := token.NewFileSet()
	s.Init(set.AddFile("", -1, len(text)), text, nil, 0) // without comments
	for {
		_, tok, literal := s.Scan()
		switch {
		case tok == token.EOF:
			return false
		case tok.IsLiteral() && isNamed(literal):
			return true
		}
	}
}
