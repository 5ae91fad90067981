// Command mutants breaks the rules of the protocol one at a time and lets the simulation find out, or, where the rule is one of
// alerts alone, the stories told about them. It prints a table: the rule, what was broken, and the seed or the story that
// noticed. A mutant that survives is a hole in the proof, and the exit status is 1.
//
//	go run ./cmd/mutants [-seeds 200] [-only NAME]
//
// A mutant is a replacement in one source file, laid over the tree by `go test -overlay`; the tree itself is not touched.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// mutant is one rule broken, by one or more replacements.
type mutant struct {
	rule  string // of the protocol, as DESIGN.md numbers them
	name  string
	edits []edit
	by    proof // who has to find out; the simulation unless said otherwise
}

// proof is a test that must fail under a mutant, and how its output names what noticed.
type proof struct {
	test    []string // arguments of go test
	noticed func(output string) string
}

var (
	failedSeed  = regexp.MustCompile(`seed (\d+) \((\w+) clock\).*\n\s+(.*)`)
	failedStory = regexp.MustCompile(`--- FAIL: TestStories/(\S+)`)
)

func simulation(seeds int) proof {
	return proof{
		[]string{"./pkg/testbed/faulttest", "-run=TestSeeds", "-seeds=" + strconv.Itoa(seeds), "-failfast-seeds"},
		func(output string) string {
			found := failedSeed.FindStringSubmatch(output)
			if found == nil {
				return ""
			}
			return fmt.Sprintf("seed %s, %s clock: %.90s", found[1], found[2], found[3])
		},
	}
}

func stories() proof {
	return proof{[]string{"./pkg/sandbox/ruletest", "-run=TestStories"}, func(output string) string {
		var all []string
		for _, found := range failedStory.FindAllStringSubmatch(output, -1) {
			all = append(all, found[1])
		}
		return strings.Join(all, ", ")
	}}
}

// edit replaces a text that stands exactly once in a file.
type edit struct{ file, old, new string }

func main() {
	seeds := flag.Int("seeds", 200, "seeds to try before a mutant has survived")
	only := flag.String("only", "", "run the mutants whose name contains this")
	flag.Parse()
	survived := 0
	fmt.Printf("%-5s %-62s %s\n", "rule", "mutant", "killed by")
	for _, m := range mutants() {
		if !strings.Contains(m.name, *only) {
			continue
		}
		verdict, killed := try(context.Background(), m, *seeds)
		if !killed {
			survived++
		}
		fmt.Printf("%-5s %-62s %s\n", m.rule, m.name, verdict)
	}
	if survived > 0 {
		fmt.Printf("%d not killed\n", survived)
		os.Exit(1)
	}
}

// try runs the proof with the mutant laid over the tree.
func try(ctx context.Context, m mutant, seeds int) (verdict string, killed bool) {
	dir, err := os.MkdirTemp("", "mutant")
	if err != nil {
		return err.Error(), false
	}
	defer func() { _ = os.RemoveAll(dir) }()
	overlay, err := lay(dir, m.edits)
	if err != nil {
		return err.Error(), false
	}
	by := m.by
	if by.test == nil {
		by = simulation(seeds)
	}
	began := time.Now()
	cmd := exec.CommandContext(ctx, "go", append([]string{"test", "-overlay=" + overlay, "-count=1", "-timeout=20m"}, by.test...)...) //nolint:gosec // our own arguments
	out, err := cmd.CombinedOutput()
	took := time.Since(began).Round(time.Second)
	if err == nil {
		return fmt.Sprintf("SURVIVED %s (%s)", strings.Join(by.test, " "), took), false
	}
	if noticed := by.noticed(string(out)); noticed != "" {
		return fmt.Sprintf("%s (%s)", noticed, took), true
	}
	if strings.Contains(string(out), "[build failed]") {
		return "DOES NOT BUILD:\n" + string(out), false
	}
	if strings.Contains(string(out), "panic:") || strings.Contains(string(out), "deadlock") {
		return fmt.Sprintf("the run itself broke down (%s)", took), true
	}
	return "FAILED WITHOUT A SEED:\n" + string(out), false
}

// lay writes the mutated files and the overlay that puts them in the originals' place.
func lay(dir string, edits []edit) (overlay string, err error) {
	mutated := map[string]string{}
	for _, e := range edits {
		if _, ok := mutated[e.file]; !ok {
			source, err := os.ReadFile(e.file)
			if err != nil {
				return "", fmt.Errorf("read what is to be mutated: %w", err)
			}
			mutated[e.file] = string(source)
		}
		if n := strings.Count(mutated[e.file], e.old); n != 1 {
			return "", fmt.Errorf("OUT OF DATE: %q stands %d times in %s", e.old, n, e.file)
		}
		mutated[e.file] = strings.Replace(mutated[e.file], e.old, e.new, 1)
	}
	replace := map[string]string{}
	for file, text := range mutated {
		original, err := filepath.Abs(file)
		if err != nil {
			return "", fmt.Errorf("place of %s: %w", file, err)
		}
		replacement := filepath.Join(dir, strconv.Itoa(len(replace))+".go")
		if err := os.WriteFile(replacement, []byte(text), 0o600); err != nil {
			return "", fmt.Errorf("write the mutant: %w", err)
		}
		replace[original] = replacement
	}
	table, err := json.Marshal(map[string]map[string]string{"Replace": replace})
	if err != nil {
		return "", fmt.Errorf("encode the overlay: %w", err)
	}
	overlay = filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlay, table, 0o600); err != nil {
		return "", fmt.Errorf("write the overlay: %w", err)
	}
	return overlay, nil
}
