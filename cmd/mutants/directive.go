package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const prefix = "//mutant:"

// directive is a comment in the product's source that marks the code that carries a rule, and says how mutants break it:
//
//	//mutant:NAME[,NAME...] insert CODE     CODE is inserted here
//	//mutant:NAME[,NAME...] replace CODE    the next statement or element of a literal becomes CODE
//	//mutant:NAME[,NAME...] if CODE         the condition of the next if becomes CODE
//	//mutant:NAME[,NAME...] delete          the next statement or element of a literal is deleted
//
// In CODE, $ stands for what is replaced. A directive is found by its place in the syntax tree, not by the text that it
// changes, so the code around it can be renamed and reformatted. Code that is too long for a line is a function in the
// package's mutants.go, which the build tag "mutants" compiles in.
type directive struct {
	file  string // absolute
	line  int
	names []string // the mutants that apply it
	edit  edit
}

// edit replaces the bytes of a file from start to end.
type edit struct {
	start, end int
	text       string
}

// findDirectives returns the directives of all Go files below root, by file and line.
func findDirectives(root string) ([]directive, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, fmt.Errorf("find the module's root: %w", err)
	}
	var all []directive
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			if path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || path == filepath.Join(root, "cmd", "mutants")) {
				return filepath.SkipDir
			}
			return nil
		case !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		source, err := os.ReadFile(path) //nolint:gosec // of this tree
		if err != nil {
			return fmt.Errorf("read the source: %w", err)
		}
		found, err := parseDirectives(path, source)
		all = append(all, found...)
		return err
	})
	return all, err
}

// parseDirectives returns the directives of one file.
func parseDirectives(path string, source []byte) ([]directive, error) {
	if !bytes.Contains(source, []byte(prefix)) {
		return nil, nil
	}
	files := token.NewFileSet()
	parsed, err := parser.ParseFile(files, path, source, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, fmt.Errorf("parse the source: %w", err)
	}
	var all []directive
	for _, group := range parsed.Comments {
		for _, comment := range group.List {
			if !strings.HasPrefix(comment.Text, prefix) {
				continue
			}
			d, err := parseDirective(files, parsed, source, comment)
			if err != nil {
				return nil, fmt.Errorf("%s: %s: %w", files.Position(comment.Pos()), comment.Text, err)
			}
			all = append(all, d)
		}
	}
	return all, nil
}

func parseDirective(files *token.FileSet, parsed *ast.File, source []byte, comment *ast.Comment) (directive, error) {
	names, rest, _ := strings.Cut(strings.TrimPrefix(comment.Text, prefix), " ")
	operation, code, _ := strings.Cut(rest, " ")
	position := files.Position(comment.Pos())
	d := directive{file: position.Filename, line: position.Line, names: strings.Split(names, ",")}
	offset := func(p token.Pos) int { return files.Position(p).Offset }
	if (operation == "delete") != (code == "") {
		return d, fmt.Errorf("%q wants %s", operation, map[bool]string{true: "no code", false: "code"}[operation == "delete"])
	}
	if operation == "insert" {
		d.edit = edit{offset(comment.Pos()), offset(comment.End()), code}
		return d, nil
	}
	target := nodeAfter(parsed, comment.End())
	if target == nil || !onlyComments(source[offset(comment.End()):offset(target.Pos())]) {
		return d, fmt.Errorf("no statement and no element of a literal follows")
	}
	d.edit = edit{offset(target.Pos()), offset(target.End()), code}
	switch operation {
	case "replace":
	case "delete":
		if source[d.edit.end] == ',' {
			d.edit.end++
		}
	case "if":
		conditional, ok := target.(*ast.IfStmt)
		if !ok {
			return d, fmt.Errorf("no if follows")
		}
		d.edit.start, d.edit.end = offset(conditional.Cond.Pos()), offset(conditional.Cond.End())
		d.edit.text = strings.ReplaceAll(code, "$", "($)")
	default:
		return d, fmt.Errorf("unknown operation %q", operation)
	}
	d.edit.text = strings.ReplaceAll(d.edit.text, "$", string(source[d.edit.start:d.edit.end]))
	return d, nil
}

// nodeAfter returns the outermost statement or key-value element that begins first after a position.
func nodeAfter(parsed *ast.File, after token.Pos) ast.Node {
	var first ast.Node
	ast.Inspect(parsed, func(n ast.Node) bool {
		switch n.(type) {
		case ast.Stmt, *ast.KeyValueExpr:
			if n.Pos() > after && (first == nil || n.Pos() < first.Pos()) {
				first = n
			}
		}
		return true
	})
	return first
}

func onlyComments(source []byte) bool {
	for line := range bytes.Lines(source) {
		if line = bytes.TrimSpace(line); len(line) > 0 && !bytes.HasPrefix(line, []byte("//")) {
			return false
		}
	}
	return true
}

// mutate returns the files that a mutant changes, with their new text.
func mutate(directives []directive, name string) (map[string][]byte, error) {
	edits := map[string][]edit{}
	for _, d := range directives {
		if slices.Contains(d.names, name) {
			edits[d.file] = append(edits[d.file], d.edit)
		}
	}
	if len(edits) == 0 {
		return nil, fmt.Errorf("no directive %s%s in the source", prefix, name)
	}
	mutated := map[string][]byte{}
	for file, all := range edits {
		source, err := os.ReadFile(file) //nolint:gosec // of this tree
		if err != nil {
			return nil, fmt.Errorf("read the source: %w", err)
		}
		slices.SortFunc(all, func(a, b edit) int { return b.start - a.start }) // from the end, so that offsets stay true
		for i, e := range all {
			if i > 0 && e.end > all[i-1].start {
				return nil, fmt.Errorf("%s: the directives of %s overlap", file, name)
			}
			source = slices.Concat(source[:e.start], []byte(e.text), source[e.end:])
		}
		mutated[file] = source
	}
	return mutated, nil
}
