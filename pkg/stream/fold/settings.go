package fold

import (
	"fmt"
	"strings"

	"github.com/mainstay/mainstay/pkg/stream/halt"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/settings"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// checkSettings compares the configuration with the settings in the ledger. Settings are part of every answer, so two
// processes may not disagree about them; a higher revision is appended with the next transaction.
func (c *claim) checkSettings() error {
	if c.folded == 0 { // genesis is not folded yet, and so the settings are not known
		return nil
	}
	return CheckSettings(c.cfg.Settings, c.state)
}

// CheckSettings returns an error that halts, if a process with these settings may not fold a partition with this state. It names the
// settings that differ, with both values.
func CheckSettings(configured *ledger.Settings, state *processors.Partition) error {
	revision, hash := state.SettingsRevision()
	refused, invalid := state.RefusedSettings(), settings.Validate(configured.GetValues())
	switch {
	case configured.GetRevision() < revision:
		return halt.New(halt.SettingsConflict, "settings_revision is %d, the ledger already has %d: this process was configured before that; update its configuration%s", configured.GetRevision(), revision, differences(configured, state))
	case refused != nil && configured.GetRevision() == refused.Revision: // the values in force are not this process's own
		return halt.New(halt.SettingsConflict, "settings_revision %d is in the ledger (offset %d) but not in force, since a value in it is out of bounds: %w; correct the value and raise settings_revision to %d", refused.Revision, refused.Offset, refused.Reason, refused.Revision+1)
	case invalid != nil: // before the values reach the ledger
		return halt.New(halt.SettingsConflict, "settings_revision %d of this process has a value out of bounds: %w; correct it", configured.GetRevision(), invalid)
	case configured.GetRevision() == revision && hash != configured.GetHash():
		return halt.New(halt.SettingsConflict, "settings_revision %d is in the ledger with other values: raise settings_revision with every change of a setting that answers depend on, or restore the values%s", revision, differences(configured, state))
	}
	return nil
}

// differences is the part of a message that names the settings that differ.
func differences(configured *ledger.Settings, state *processors.Partition) string {
	var all strings.Builder
	for _, d := range settings.Differences(configured.GetValues(), state.Settings()) {
		fmt.Fprintf(&all, "; %s is %s here and %s in the ledger", d.Path, d.Here, d.There)
	}
	return all.String()
}

// appendSettings appends the configuration's settings, parameters and logic if they are newer than the ledger's. It waits
// until the whole ledger is folded, since a later entry may already hold them.
func (c *claim) appendSettings() {
	if c.lag > 0 || c.folded == 0 || c.settingsAppended || c.folded < c.published {
		return
	}
	if c.state.Copying() { // the settings and parameters of the ledger that is copied are still to come
		return
	}
	if revision, _ := c.state.SettingsRevision(); c.cfg.Settings.GetRevision() > revision {
		c.appendOwn(ledger.Kind_KIND_SETTINGS, c.cfg.Settings)
		c.settingsAppended = true
	}
	if v := c.cfg.Parameters; v.GetVersion() > c.state.Parameters().GetVersion() {
		c.appendOwn(ledger.Kind_KIND_PARAMETERS, v)
		c.settingsAppended = true
	}
	if c.state.Logic() < processors.LogicVersion {
		c.appendOwn(ledger.Kind_KIND_LOGIC, &ledger.Logic{Version: processors.LogicVersion})
		c.settingsAppended = true
	}
}
