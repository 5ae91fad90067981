package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mainstay/mainstay/pkg/eventfile"
	"github.com/mainstay/mainstay/pkg/format"
)

func (p *program) formatsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "formats", Short: "List and print the formats of input records, and of files",
		Long: `A topic's records may have the format of a vendor instead of Mainstay's own: kafka.topics.purchases: [{topic: orders, format: shopify}].
A format is a table. To change one, print it into a file, edit it, and name the file as the format.

Files that are exported by hand have presets: import, fit, backtest and alerts forecast recognise them, or take --preset. A preset stands for flags.`,
	}
	list := &cobra.Command{
		Use: "list", Short: "List the shipped formats, and the presets of files", Args: cobra.NoArgs,
		RunE: p.interruptible(func(_ context.Context, _ *cobra.Command, _ []string) error {
			rows := [][]string{{format.Mainstay, "Mainstay's own, and CloudEvents (the default)"}}
			for _, name := range format.Names() {
				f, err := format.Open(name)
				if err != nil {
					return err
				}
				first, _, _ := strings.Cut(strings.ReplaceAll(f.Doc, "\n", " "), ". ")
				rows = append(rows, []string{name, strings.TrimSpace(first)})
			}
			if err := p.table([]string{"FORMAT", "RECORDS"}, rows); err != nil {
				return err
			}
			rows = rows[:0]
			for _, preset := range eventfile.Presets {
				rows = append(rows, []string{preset.Name, preset.Doc})
			}
			if err := p.printf("\n"); err != nil {
				return err
			}
			return p.table([]string{"PRESET", "FILES"}, rows)
		}),
	}
	show := &cobra.Command{
		Use: "show NAME", Short: "Print the table of a shipped format, or the flags that a preset stands for", Args: cobra.ExactArgs(1),
		ValidArgs: append(format.Names(), eventfile.PresetNames()[2:]...),
		Example:   "  " + p.name + " formats show shopify > my-shopify.yaml",
		RunE: p.interruptible(func(_ context.Context, _ *cobra.Command, args []string) error {
			if preset, ok := eventfile.FindPreset(args[0]); ok {
				return p.printf("# %s\n# %s\n# Recognised by the columns %s\n%s\n",
					preset.Doc, preset.Note, strings.Join(preset.Header, ", "), strings.Join(preset.Mapping.Flags(), " \\\n"))
			}
			text, err := format.Text(args[0])
			if err != nil {
				return usage("%v", err)
			}
			return p.printf("%s", text)
		}),
	}
	cmd.AddCommand(list, show)
	return cmd
}
