// Command configdoc generates docs/configuration.md from the settings in the code.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/mainstay/mainstay/pkg/node/config"
)

func main() {
	out := flag.String("o", "", "file to write")
	flag.Parse()
	page, err := page()
	if err == nil {
		err = os.WriteFile(*out, page, 0o644) //nolint:gosec // public documentation
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "configdoc:", err)
		os.Exit(1)
	}
}

const head = `<!-- Generated from pkg/node/config by make generate. Do not edit. -->

# Configuration

Settings come from four sources, of which a later one overrides an earlier one: defaults, a YAML file (` + "`--config FILE` or `MAINSTAY_CONFIG`" + `),
the environment, flags. An unknown key, variable (of those that begin with ` + "`MAINSTAY_`" + `) or flag is an error that names the nearest
known one. A value out of bounds is an error as well. All errors are reported at once, each with the source of the value.
` + "`mainstay config validate` checks a configuration, `config show` prints it, `config print-default`" + ` prints the defaults; secrets
are never printed.

- **Durations** are written like ` + "`300ms`, `1m30s`, `720h`; **sizes** like `64KiB`, `256MiB`" + `.
- **Lists** are YAML lists; in a variable or flag the values are separated by commas. There, **maps** are written like
  ` + "`EUR=1.08,GBP=1.27` and `IRT=IRR*10`" + `. A map adds to the value of the earlier sources; a list replaces it.
- **Secrets** can come from a file of one line: ` + "`{file: PATH}`" + ` in YAML, the variable with the suffix ` + "`_FILE`" + `, or the flag with
  the suffix ` + "`-file`" + `. A secret has no other flag.

What a change of a setting requires, by its mark:

| mark | meaning |
|---|---|
| | a restart |
| revision | a restart, and a higher ` + "`settings_revision`" + `: the value changes answers, so it takes effect at an offset of the ledger |
| genesis | another namespace: the value is fixed when the ledger is created |
`

// page is the whole page: a table of settings for each section, then the defaults as a file.
func page() ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(head)
	section := "-"
	for _, s := range config.Settings() {
		name, _, inner := strings.Cut(s.Path, ".")
		if !inner {
			name = ""
		}
		if name != section {
			section = name
			title := name
			if title == "" {
				title = "General"
			}
			fmt.Fprintf(&b, "\n## %s\n\n| setting | default | bounds | meaning | mark |\n|---|---|---|---|---|\n", title)
		}
		row(&b, s)
	}
	b.WriteString("\n## All defaults as a file\n\n```yaml\n")
	if err := config.Print(&b, config.Default(), "yaml"); err != nil {
		return nil, err
	}
	b.WriteString("```\n")
	return b.Bytes(), nil
}

func row(b *bytes.Buffer, s config.Setting) {
	value := s.Default
	if value != "" {
		value = "`" + value + "`"
	}
	bounds := s.Type
	if s.Bounds != "" {
		bounds += ": " + s.Bounds
	}
	env := "`" + s.Env + "`"
	if s.Type == "secret" {
		env += " or `" + s.Env + "_FILE`"
	}
	fmt.Fprintf(b, "| `%s`<br>%s<br>`--%s` | %s | %s | %s | %s |\n", s.Path, env, s.Flag, value, bounds, s.Doc, s.Holds)
}
