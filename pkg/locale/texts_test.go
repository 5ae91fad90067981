package locale_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/locale"
	"github.com/mainstay/mainstay/schemas/money"
)

// texts visits the string literals of the code below a directory, without tests, each with the name of the function, or of the type, that it
// is an argument of.
func texts(t *testing.T, below string, visit func(position token.Position, call, text string)) {
	t.Helper()
	files := token.NewFileSet()
	require.NoError(t, filepath.WalkDir(below, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		calls := map[ast.Node]string{}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				name := ""
				switch f := n.Fun.(type) {
				case *ast.SelectorExpr:
					name = f.Sel.Name
				case *ast.Ident:
					name = f.Name
				}
				for _, argument := range n.Args {
					calls[argument] = name
				}
			case *ast.CompositeLit:
				if of, named := n.Type.(*ast.Ident); named {
					for _, element := range n.Elts {
						calls[element] = of.Name
					}
				}
			case *ast.BinaryExpr:
				calls[n.X], calls[n.Y] = calls[n], calls[n]
			case *ast.ImportSpec, *ast.Field:
				return false
			case *ast.BasicLit:
				if n.Kind == token.STRING {
					text, err := strconv.Unquote(n.Value)
					if err != nil {
						return false
					}
					visit(files.Position(n.Pos()), calls[n], text)
				}
			}
			return true
		})
		return nil
	}))
}

// What a page or a table says has a translation. A text is known by what is done with it, or, on pages, by being a word with a capital or
// three words, besides what is logged.
func TestEveryTextIsInTheCatalogue(t *testing.T) {
	in := locale.Named("fa")
	var (
		anywhere = []string{"T", "F", "says"}
		onPages  = []string{"text", "textf", "card", "empty", "chip", "choice", "notice", "fact", "figure"}
		apart    = []string{"Warn", "Error", "Errorf", "Add"}
		words    = regexp.MustCompile(`[A-Za-z]{2,}`)
		sentence = regexp.MustCompile(`^[A-Z][a-z]+$|[a-z]{2,},? [a-z]{2,},? [a-z]{2,}`)
	)
	count := 0
	for _, place := range []string{"../edge/pages", "../stream/lookup/figures.go", "../../cmd/mainstay"} {
		onPage := strings.HasSuffix(place, "pages")
		texts(t, place, func(at token.Position, call, text string) {
			bare := allowed.ReplaceAllString(verb.ReplaceAllString(text, ""), "")
			if strings.HasSuffix(text, "\n\n") { // a comment in a stream
				return
			}
			isText := slices.Contains(anywhere, call) || onPage && slices.Contains(onPages, call)
			if isText && words.MatchString(bare) || onPage && !slices.Contains(apart, call) && sentence.MatchString(bare) {
				count++
				if in.T(text) == text {
					t.Errorf("%s: %q has no translation", at, text)
				}
			}
		})
	}
	require.Greater(t, count, 250)
}

// A translation of what no code says is a defect: its text was changed, and is shown in English.
func TestEveryTranslationIsOfAText(t *testing.T) {
	written := map[string]bool{}
	for _, directory := range []string{"../../cmd/mainstay", "../../processors", "../../schemas", "..", "."} {
		texts(t, directory, func(_ token.Position, _, text string) { written[text] = true })
	}
	currencies, err := money.NewTable(money.Shipped())
	require.NoError(t, err)
	locale.Named("fa").Each(func(text, _ string) {
		if _, known := currencies.Lookup([]byte(text)); !known && !written[text] {
			t.Errorf("no code says %q", text)
		}
	})
}
