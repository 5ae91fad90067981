package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every link within the documentation leads to a file that exists, and to a heading of it.
func TestLinksResolve(t *testing.T) {
	t.Parallel()
	const root = "../.."
	pages := map[string]string{} // text without code, by path
	require.NoError(t, filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".md") {
			return err
		}
		text, err := os.ReadFile(path)
		pages[filepath.Clean(path)] = regexp.MustCompile("(?s)```.*?```").ReplaceAllString(string(text), "")
		return err
	}))
	links := 0
	for path, text := range pages {
		for _, link := range regexp.MustCompile(`\]\(([^)\s]+)\)`).FindAllStringSubmatch(regexp.MustCompile("`[^`\n]*`").ReplaceAllString(text, ""), -1) {
			file, heading, _ := strings.Cut(link[1], "#")
			if strings.Contains(file, "://") {
				continue
			}
			links++
			target := path
			if file != "" {
				target = filepath.Join(filepath.Dir(path), file)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: %s: %v", path, link[1], err)
			} else if page, isPage := pages[target]; heading != "" && isPage && !hasHeading(page, heading) {
				t.Errorf("%s: %s: no such heading", path, link[1])
			}
		}
	}
	require.NotZero(t, links)
}

// hasHeading reports whether a page has a heading that GitHub gives this anchor.
func hasHeading(page, anchor string) bool {
	for _, heading := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(page, -1) {
		text := regexp.MustCompile(`\[([^]]*)\]\([^)]*\)`).ReplaceAllString(strings.ToLower(heading[1]), "$1")
		if strings.ReplaceAll(regexp.MustCompile(`[^\p{L}\p{N}_\- ]`).ReplaceAllString(text, ""), " ", "-") == anchor {
			return true
		}
	}
	return false
}
