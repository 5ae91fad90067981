package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mainstay/mainstay/pkg/eventfile"
)

// addPresetFlags adds the flags that say what the columns of a file mean, besides --map.
func addPresetFlags(cmd *cobra.Command) {
	addChoiceFlag(cmd, "preset", "", eventfile.PresetAuto,
		"read the file as a known export, as mainstay formats list shows them: auto recognises it by its header", eventfile.PresetNames()...)
	f := cmd.Flags()
	f.String("statuses", "", "what words of the status mean: word=status,word=status")
	f.String("credit-notes", "", "skip the orders whose ids begin so: they are credit notes that name no order")
	f.Bool("whole-ids", false, "ids are whole numbers, written with a fraction: 17850.0 is 17850")
}

// presetFlags reads the flags that addPresetFlags has added.
func presetFlags(cmd *cobra.Command, m *eventfile.Mapping) error {
	f := cmd.Flags()
	m.Preset = choiceOf(cmd, "preset")
	m.CreditNotes, _ = f.GetString("credit-notes")
	m.WholeIDs, _ = f.GetBool("whole-ids")
	statuses, _ := f.GetString("statuses")
	var err error
	if m.Statuses, err = eventfile.ParseStatuses(statuses); err != nil {
		return usage("--%v", err)
	}
	if p, ok := eventfile.FindPreset(m.Preset); ok && m.Type == "" {
		m.Type = p.Mapping.Type
	}
	return nil
}

// readFile reads a file as a mapping says. It says by which preset, if by one. If columns are missing and can be guessed, it asks on a terminal;
// elsewhere the error has the guess.
func (p *program) readFile(path string, m eventfile.Mapping, read func(eventfile.Mapping) error) error {
	m.Opened = func(how eventfile.Reading) {
		preset, ok := eventfile.FindPreset(how.Preset)
		if !ok {
			return
		}
		p.printErr("%s: read by --preset %s, with --map %s; --preset %s turns it off\n", filepath.Base(path), how.Preset, shellQuote(eventfile.MapText(how.Columns)), eventfile.PresetNone)
		p.printErr("note: %s\n", preset.Note)
	}
	err := read(m)
	missing := (*eventfile.MissingColumnsError)(nil)
	if !errors.As(err, &missing) || !missing.Complete() || !p.inTerminal {
		return err
	}
	m.Columns, m.Lines = missing.Guess, missing.Lines
	if agreed, failed := p.confirmGuess(path, m); failed != nil || !agreed {
		return errors.Join(failed, err)
	}
	return read(m)
}

// confirmGuess shows how a file would be read, and asks whether it should be.
func (p *program) confirmGuess(path string, m eventfile.Mapping) (agreed bool, err error) {
	f, err := eventfile.Open(path, m)
	if err != nil {
		return false, fmt.Errorf("the columns were guessed, --map %s: %w", shellQuote(eventfile.MapText(m.Columns)), err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	guess := eventfile.Mapping{Columns: m.Columns, Lines: m.Lines}
	p.printErr("%s: the columns are guessed: %s\n", filepath.Base(path), strings.Join(guess.Flags(), " "))
	if m.Columns["order_id"] == "" {
		p.printErr("no column has the order: each row is one\n")
	}
	const shown = 3
	for range shown {
		row, err := f.Next()
		refused := (*eventfile.RowError)(nil)
		switch {
		case errors.Is(err, io.EOF):
		case errors.As(err, &refused):
			p.printErr("  %v\n", refused)
		case err != nil:
			return false, fmt.Errorf("read the first rows: %w", err)
		default:
			p.printErr("  line %d: %s\n", row.Line, row.Value)
		}
	}
	p.printErr("Read the file so? [Y/n] ")
	answer, err := bufio.NewReader(p.in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return false, fmt.Errorf("read the answer: %w", err)
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return true, nil
	case "":
		return err == nil, nil // Enter, and not the end of the input
	}
	return false, nil
}
