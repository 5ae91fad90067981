package fold

import (
	"github.com/mainstay/mainstay/pkg/stream/halt"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/settings"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// checkSettings compares the configuration with the settings in the ledger. Settings are part of every answer, so two
// processes may not disagree about them; a higher revision is appended with the next transaction.
func (c *claim) checkSettings() error {
	configured := c.cfg.Settings
	revision, hash := c.state.SettingsRevision()
	refused, invalid := c.state.RefusedSettings(), settings.Validate(configured.GetValues())
	switch {
	case c.folded == 0: // genesis is not folded yet, and so the settings are not known
	case configured.GetRevision() < revision:
		return halt.New(halt.SettingsConflict, "settings_revision is %d, the ledger already has %d: this process was configured before that; update its configuration", configured.GetRevision(), revision)
	case refused != nil && configured.GetRevision() == refused.Revision: // the values in force are not this process's own
		return halt.New(halt.SettingsConflict, "settings_revision %d is in the ledger (offset %d) but not in force, since a value in it is out of bounds: %w; correct the value and raise settings_revision to %d", refused.Revision, refused.Offset, refused.Reason, refused.Revision+1)
	case invalid != nil: // before the values reach the ledger
		return halt.New(halt.SettingsConflict, "settings_revision %d of this process has a value out of bounds: %w; correct it", configured.GetRevision(), invalid)
	case configured.GetRevision() == revision && hash != configured.GetHash():
		return halt.New(halt.SettingsConflict, "settings_revision %d is in the ledger with other values: raise settings_revision with every change of a setting that answers depend on, or restore the values", revision)
	}
	return nil
}

// appendSettings appends the configuration's settings, parameters and logic if they are newer than the ledger's. It waits
// until the whole ledger is folded, since a later entry may already hold them.
func (c *claim) appendSettings() {
	if c.lag > 0 || c.folded == 0 || c.settingsAppended || c.folded < c.published {
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
