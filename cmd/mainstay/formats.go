package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mainstay/mainstay/pkg/format"
)

func (p *program) formatsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "formats", Short: "List and print the formats of input records",
		Long: `A topic's records may have the format of a vendor instead of Mainstay's own: kafka.topics.purchases: [{topic: orders, format: shopify}].
A format is a table. To change one, print it into a file, edit it, and name the file as the format.`,
	}
	list := &cobra.Command{
		Use: "list", Short: "List the shipped formats", Args: cobra.NoArgs,
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
			return p.table([]string{"FORMAT", "RECORDS"}, rows)
		}),
	}
	show := &cobra.Command{
		Use: "show FORMAT", Short: "Print the table of a shipped format", Args: cobra.ExactArgs(1), ValidArgs: format.Names(),
		Example: "  " + p.name + " formats show shopify > my-shopify.yaml",
		RunE: p.interruptible(func(_ context.Context, _ *cobra.Command, args []string) error {
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
