package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDirectivesAndTableAgree(t *testing.T) {
	directives, err := findDirectives("../..")
	require.NoError(t, err)
	var marked, listed []string
	for _, d := range directives {
		marked = append(marked, d.names...)
	}
	for _, m := range mutants() {
		require.NotContains(t, listed, m.name, "a name is unique in the table")
		listed = append(listed, m.name)
	}
	require.ElementsMatch(t, listed, slices.Compact(slices.Sorted(slices.Values(marked))))
}

// A rename or a change of types in the product shows here at once, and not only when the mutant is run.
func TestMutantsTypeCheck(t *testing.T) {
	directives, err := findDirectives("../..")
	require.NoError(t, err)
	packages := listPackages(t, directives)
	for _, m := range mutants() {
		mutated, err := mutate(directives, m.name)
		require.NoError(t, err)
		for _, dir := range slices.Compact(slices.Sorted(func(yield func(string) bool) {
			for file := range maps.Keys(mutated) {
				if !yield(filepath.Dir(file)) {
					return
				}
			}
		})) {
			require.NoError(t, packages.check(dir, mutated), "mutant %s", m.name)
		}
	}
}

func TestTypeCheckFindsErrors(t *testing.T) {
	directives, err := findDirectives("../..")
	require.NoError(t, err)
	packages := listPackages(t, directives[:1])
	file := directives[0].file
	source, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, packages.check(filepath.Dir(file), map[string][]byte{file: source}))
	require.Error(t, packages.check(filepath.Dir(file), map[string][]byte{file: append(source, "\nvar x = renamed\n"...)}))
}

func TestDirectives(t *testing.T) {
	const source = `package p

func f(a, b int) (x struct{ A, B int }) {
	//mutant:m if false && $
	if a > 0 || b > 0 {
		//mutant:m insert a++
		b++
	}
	//mutant:m delete
	// A comment in between.
	if err := g(); err != nil {
		return x
	}
	//mutant:m replace x.A = $
	x.A = 1 // trailing
	return struct{ A, B int }{
		//mutant:m replace A: b
		A: a,
		//mutant:m delete
		B: b,
	}
}
`
	const want = `package p

func f(a, b int) (x struct{ A, B int }) {
	//mutant:m if false && $
	if false && (a > 0 || b > 0) {
		a++
		b++
	}
	//mutant:m delete
	// A comment in between.
	
	//mutant:m replace x.A = $
	x.A = x.A = 1 // trailing
	return struct{ A, B int }{
		//mutant:m replace A: b
		A: b,
		//mutant:m delete
		
	}
}
`
	file := filepath.Join(t.TempDir(), "p.go")
	require.NoError(t, os.WriteFile(file, []byte(source), 0o600))
	directives, err := findDirectives(filepath.Dir(file))
	require.NoError(t, err)
	mutated, err := mutate(directives, "m")
	require.NoError(t, err)
	require.Equal(t, want, string(mutated[file]))
	_, err = mutate(directives, "other")
	require.ErrorContains(t, err, "no directive")
}

func TestRefusedDirectives(t *testing.T) {
	for code, want := range map[string]string{
		"//mutant:m if false\n\ta++":           "no if follows",
		"//mutant:m if\n\tif a > 0 {\n\t}":     "wants code",
		"//mutant:m delete a\n\ta++":           "wants no code",
		"//mutant:m change a\n\ta++":           "unknown operation",
		"a--\n\t//mutant:m delete":             "no statement",
		"//mutant:m delete\n\t/* */\n\ta++":    "no statement",
		"//mutant:m replace Phase: 0\n\tf(a)}": "parse",
	} {
		_, err := parseDirectives("p.go", []byte("package p\n\nfunc f(a int) {\n\t"+code+"\n}\n"))
		require.ErrorContains(t, err, want, code)
	}
}

// packages are those that mutants change, as `go list` has them, and the compiled packages that they import.
type packages struct {
	files    map[string][]string // by directory: the Go files, with the build tag mutants
	importer types.Importer
	set      *token.FileSet
}

func listPackages(t *testing.T, directives []directive) packages {
	t.Helper()
	arguments := []string{"list", "-tags=mutants", "-deps", "-export", "-json=Dir,GoFiles,ImportPath,Export"}
	for _, d := range directives {
		if dir := filepath.Dir(d.file); !slices.Contains(arguments, dir) {
			arguments = append(arguments, dir)
		}
	}
	listed, err := exec.CommandContext(t.Context(), "go", arguments...).Output()
	require.NoError(t, err)
	p := packages{files: map[string][]string{}, set: token.NewFileSet()}
	exports := map[string]string{}
	for decoder := json.NewDecoder(bytes.NewReader(listed)); ; {
		var one struct {
			Dir        string   `json:"Dir"`
			ImportPath string   `json:"ImportPath"`
			Export     string   `json:"Export"`
			GoFiles    []string `json:"GoFiles"`
		}
		err := decoder.Decode(&one)
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		exports[one.ImportPath] = one.Export
		for _, name := range one.GoFiles {
			p.files[one.Dir] = append(p.files[one.Dir], filepath.Join(one.Dir, name))
		}
	}
	p.importer = importer.ForCompiler(p.set, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	return p
}

// check type-checks the package in a directory, with the mutated files in place of the originals.
func (p packages) check(dir string, mutated map[string][]byte) error {
	var files []*ast.File
	for _, name := range p.files[dir] {
		var source any
		if text, ok := mutated[name]; ok {
			source = text
		}
		file, err := parser.ParseFile(p.set, name, source, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		files = append(files, file)
	}
	_, err := (&types.Config{Importer: p.importer}).Check(strings.TrimPrefix(dir, "/"), p.set, files, nil)
	return err
}
