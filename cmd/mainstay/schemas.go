package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/mainstay/mainstay/schemas"
)

func (p *program) schemasCommand() *cobra.Command {
	export := &cobra.Command{
		Use: "export DIR", Short: "Write the JSON Schemas and asyncapi.yaml into a new directory", Args: cobra.ExactArgs(1),
		Long: `Export writes the JSON Schemas (draft 2020-12) of all inputs and outputs, and an AsyncAPI document of the topics that refers to them, as
this release has them. It overwrites nothing: a directory that exists must be empty.

With outputs.encoding avro it writes also the schemas of the outputs in Avro, each with the name of its subject, for those who register
them themselves (outputs.register_schemas). Amounts have the decimals of money.currency.`,
		Example: "  " + p.name + " schemas export mainstay-schemas",
		RunE:    p.interruptible(p.schemasExport),
	}
	return commandGroup("schemas", "Write the schemas of inputs and outputs to files", export)
}

func (p *program) schemasExport(_ context.Context, cmd *cobra.Command, args []string) error {
	dir := args[0]
	a, err := p.openApp(cmd)
	if err != nil {
		return err
	}
	defer a.Close()
	outputs, err := a.Outputs(a.Config.Genesis())
	if err != nil {
		return err
	}
	switch there, err := os.ReadDir(dir); {
	case err == nil && len(there) > 0:
		return usage("%s is not empty: name a new directory; nothing was written", dir)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return usage("%v; nothing was written", err)
	}
	if err := os.CopyFS(dir, schemas.Files()); err != nil {
		return fmt.Errorf("write the schemas: %w", err)
	}
	for _, s := range outputs.Schemas() {
		if err := os.WriteFile(filepath.Join(dir, s.Subject+".avsc"), []byte(s.Text+"\n"), 0o644); err != nil { //nolint:gosec // for everybody to read
			return fmt.Errorf("write the schemas: %w", err)
		}
	}
	all, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("list the schemas: %w", err)
	}
	return p.printf("%d files in %s; begin with asyncapi.yaml\n", len(all), dir)
}
