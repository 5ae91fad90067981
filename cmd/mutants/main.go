// Command mutants breaks the rules of the protocol one at a time and checks that a test notices: the fault test or, for rules
// that it does not concern, the alert scenarios or tests of one package. It prints a table: the rule, what is broken, and the
// seed, story or test that noticed. A mutant that survives is a hole in the proof, and the exit status is 1.
//
//	go run ./cmd/mutants [-seeds 200] [-only NAME] [-tenth N]
//
// A mutant is defined by directives in the source (see directive.go), which are applied by `go test -overlay`; no file is
// changed.
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

// mutant is a rule that is broken.
type mutant struct {
	rule   string // as DESIGN.md numbers it
	name   string // in the directives
	broken string // what it breaks, for people
	by     []proof
	seed   uint64 // one that is known to notice, tried before the others; 0: none
}

// proof is a test that must fail under a mutant.
type proof struct {
	arguments func(seeds int, first uint64) []string // of go test
	noticed   func(output string) string             // what noticed, by the test's output; empty: nothing
}

var (
	failedSeed     = regexp.MustCompile(`seed (\d+) \((\w+) clock\).*\n\s+(.*)`)
	failedScenario = regexp.MustCompile(`--- FAIL: TestScenarios/(\S+)`)
	failedTest     = regexp.MustCompile(`(?m)^--- FAIL: (Test\S+)`)
)

func faultTest() []proof {
	return []proof{{
		func(seeds int, first uint64) []string {
			return []string{"./pkg/testbed/faulttest", "-run=^TestSeeds$", "-failfast-seeds", "-seeds=" + strconv.Itoa(seeds), "-seed=" + strconv.FormatUint(first, 10)}
		},
		func(output string) string {
			found := failedSeed.FindStringSubmatch(output)
			if found == nil {
				return ""
			}
			return fmt.Sprintf("seed %s, %s clock: %.90s", found[1], found[2], found[3])
		},
	}}
}

// goTest is a test of one package that runs no seeds.
func goTest(pkg, name string) []proof {
	return []proof{{
		func(int, uint64) []string { return []string{pkg, "-run=^" + name + "$"} },
		func(output string) string {
			if strings.Contains(output, "--- FAIL: "+name) {
				return name
			}
			return ""
		},
	}}
}

func scenarios() []proof {
	return []proof{{
		func(int, uint64) []string { return []string{"./pkg/sandbox/ruletest", "-run=^TestScenarios$"} },
		func(output string) string {
			var all []string
			for _, found := range failedScenario.FindAllStringSubmatch(output, -1) {
				all = append(all, found[1])
			}
			return strings.Join(all, ", ")
		},
	}}
}

// unitTests are the tests of one package that a regular expression selects.
func unitTests(pkg, run string) []proof {
	return []proof{{
		func(int, uint64) []string { return []string{pkg, "-run=" + run} },
		func(output string) string {
			var all []string
			for _, found := range failedTest.FindAllStringSubmatch(output, -1) {
				all = append(all, found[1])
			}
			return strings.Join(all, ", ")
		},
	}}
}

func main() {
	seeds := flag.Int("seeds", 200, "seeds to try before a mutant has survived")
	only := flag.String("only", "", "run the mutants whose name contains this")
	tenth := flag.Int("tenth", -1, "run a tenth of the mutants: those whose place in the table ends in this digit")
	flag.Parse()
	directives, err := findDirectives(".")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	survived := 0
	fmt.Printf("%-7s %-27s %-80s %s\n", "rule", "mutant", "what is broken", "noticed by")
	for i, m := range mutants() {
		if !strings.Contains(m.name, *only) || *tenth >= 0 && i%10 != *tenth {
			continue
		}
		verdict, killed := try(context.Background(), directives, m, *seeds)
		if !killed {
			survived++
		}
		fmt.Printf("%-7s %-27s %-80s %s\n", m.rule, m.name, m.broken, verdict)
	}
	if survived > 0 {
		fmt.Printf("%d not noticed\n", survived)
		os.Exit(1)
	}
}

// try runs the mutant's proofs, all of which must fail.
func try(ctx context.Context, directives []directive, m mutant, seeds int) (verdict string, killed bool) {
	dir, err := os.MkdirTemp("", "mutant")
	if err != nil {
		return err.Error(), false
	}
	defer func() { _ = os.RemoveAll(dir) }()
	overlay, err := writeOverlay(dir, directives, m.name)
	if err != nil {
		return err.Error(), false
	}
	by := m.by
	if by == nil {
		by = faultTest()
	}
	var verdicts []string
	for _, p := range by {
		began := time.Now()
		verdict, killed = "", false
		if m.seed != 0 {
			const few = 2 // the fault test plays two seeds at a time
			verdict, killed = run(ctx, overlay, p, few, m.seed)
		}
		if !killed {
			verdict, killed = run(ctx, overlay, p, seeds, 1)
		}
		verdicts = append(verdicts, fmt.Sprintf("%s (%s)", verdict, time.Since(began).Round(time.Second)))
		if !killed {
			break
		}
	}
	return strings.Join(verdicts, "; "), killed
}

func run(ctx context.Context, overlay string, p proof, seeds int, first uint64) (verdict string, killed bool) {
	arguments := append([]string{"test", "-overlay=" + overlay, "-tags=mutants", "-vet=off", "-count=1", "-timeout=20m"}, p.arguments(seeds, first)...)
	out, err := exec.CommandContext(ctx, "go", arguments...).CombinedOutput() //nolint:gosec // our own arguments
	if err == nil {
		return "SURVIVED go " + strings.Join(arguments, " "), false
	}
	output := string(out)
	if noticed := p.noticed(output); noticed != "" {
		return noticed, true
	}
	switch {
	case strings.Contains(output, "[build failed]"):
		return "DOES NOT BUILD:\n" + output, false
	case strings.Contains(output, "panic:"), strings.Contains(output, "deadlock"):
		return "the test panicked or deadlocked", true
	}
	return "FAILED, BUT NOT BY A SEED, A STORY OR A TEST:\n" + output, false
}

// writeOverlay writes the mutated files, and the table by which go test reads them instead of the originals.
func writeOverlay(dir string, directives []directive, name string) (overlay string, err error) {
	mutated, err := mutate(directives, name)
	if err != nil {
		return "", err
	}
	replace := map[string]string{}
	for file, source := range mutated {
		replacement := filepath.Join(dir, strconv.Itoa(len(replace))+".go")
		if err := os.WriteFile(replacement, source, 0o600); err != nil {
			return "", fmt.Errorf("write the mutant: %w", err)
		}
		replace[file] = replacement
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
