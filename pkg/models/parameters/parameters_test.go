package parameters

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/lifetimes"
	"github.com/mainstay/mainstay/processors"
)

var noon = time.Date(2026, 5, 17, 12, 30, 45, 999, time.UTC)

// shop returns n customers, every second of whom has two repeat purchases; all purchases are up to day 20100.
func shop(n int) []lifetimes.History {
	all := make([]lifetimes.History, n)
	for i := range all {
		first := int32(20000 + i%40)
		all[i] = all[i].Add(first, 2000)
		if i%2 == 0 {
			all[i] = all[i].Add(first+10+int32(i%7), 1500+int64(i)).Add(first+40+int32(i%11), 2500)
		}
	}
	return all
}

func fitted(t *testing.T) *File {
	t.Helper()
	f, err := Fit(shop(400), FitOptions{Until: 20100, MinorPerUnit: 100, Currency: "EUR", Now: noon})
	require.NoError(t, err)
	return f
}

func TestFit(t *testing.T) {
	f := fitted(t)
	require.Equal(t, uint64(20260517123045), f.Version)
	require.Equal(t, "fitted", f.Status)
	require.Equal(t, 400, f.Diagnostics.Customers)
	require.Equal(t, 200, f.Diagnostics.RepeatBuyers)
	require.Equal(t, "2024-10-04", f.Source.First)
	require.Equal(t, "2025-01-12", f.Source.Until)
	var rows []lifetimes.Summary
	for _, h := range shop(400) {
		rows = append(rows, h.Summary(20100, 7, 100))
	}
	want, err := lifetimes.FitMBGNBD(rows, lifetimes.FitOptions{})
	require.NoError(t, err)
	require.Equal(t, want.Model, lifetimes.MBGNBD(*f.Purchases))
	spend, err := lifetimes.FitGammaGamma(rows, lifetimes.FitOptions{})
	require.NoError(t, err)
	require.Equal(t, spend.Model, lifetimes.GammaGamma(*f.Spend))
	require.InDelta(t, .28, f.Uncertainty.Orders, .1) // a hundred days do not say who has stopped
	require.InDelta(t, .002, f.Uncertainty.Spend, .001)
	later, err := Fit(shop(400), FitOptions{Until: 20100, MinorPerUnit: 100, Now: noon.Add(time.Second)})
	require.NoError(t, err)
	require.Greater(t, later.Version, f.Version)
}

// TestFitLooksNoFurther verifies that purchases after the last day have no effect.
func TestFitLooksNoFurther(t *testing.T) {
	all := shop(400)
	cut := make([]lifetimes.History, len(all))
	for i := range all {
		cut[i] = all[i].Until(20050)
	}
	a, err := Fit(all, FitOptions{Until: 20050, MinorPerUnit: 100, Now: noon})
	require.NoError(t, err)
	b, err := Fit(cut, FitOptions{Until: 20050, MinorPerUnit: 100, Now: noon})
	require.NoError(t, err)
	require.Equal(t, b, a)
}

func TestFitOnLittle(t *testing.T) {
	_, err := Fit(shop(10), FitOptions{Until: 19000, MinorPerUnit: 100, Now: noon})
	require.ErrorIs(t, err, lifetimes.ErrNoData)
	require.ErrorContains(t, err, "2022-01-08")

	_, err = Fit(shop(10), FitOptions{Until: 40000, MinorPerUnit: 100, Now: noon})
	require.ErrorIs(t, err, ErrFit)
	require.ErrorContains(t, err, "give an earlier --until")

	once := make([]lifetimes.History, 30)
	for i := range once {
		once[i] = once[i].Add(20000, 100)
	}
	f, err := Fit(once, FitOptions{Until: 20100, MinorPerUnit: 100, Now: noon})
	require.NoError(t, err)
	require.Equal(t, "prior", f.Status)
	require.Nil(t, f.Spend)
	require.Zero(t, f.Ledger().GetP())

	f, err = Fit(shop(40), FitOptions{Until: 20100, MinorPerUnit: 100, Now: noon})
	require.NoError(t, err)
	require.Equal(t, "provisional", f.Status)
}

func TestWriteAndRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p.yaml")
	require.NoError(t, os.WriteFile(path, []byte("customers,days\n"), 0o600))
	f := fitted(t)
	require.NoError(t, f.Stamp(path))
	require.Equal(t, "p.yaml", f.Source.File)
	require.Equal(t, "900a07ac157f03c0829b203f58131e1c9fc376c54504659af31168868ca5e12e", f.Source.SHA256)
	require.NoError(t, f.Write(path)) // replaces the existing file
	got, err := Read(path)
	require.NoError(t, err)
	require.Equal(t, f, got)
	left, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, left, 1)

	p := got.Ledger()
	require.Equal(t, processors.PriorParameters().GetModel(), p.GetModel())
	require.Equal(t, Purchases{p.GetR(), p.GetAlpha(), p.GetA(), p.GetB()}, *f.Purchases)
	require.Equal(t, Spend{p.GetP(), p.GetQ(), p.GetV()}, *f.Spend)
	require.Equal(t, f.Version, p.GetVersion())
	require.Equal(t, "fitted", p.GetStatus())
}

// TestSeasonInAFile: a season in a file is that of the entry, and one that cannot be is refused.
func TestSeasonInAFile(t *testing.T) {
	f := fitted(t)
	f.Season = &Season{
		Weekly: []float64{.8, .9, 1, 1, 1.2, 1.5, .6}, Yearly: []float64{.7, .7, .8, .9, 1, 1, .9, .9, 1, 1.1, 1.5, 1.8},
		Events: []SeasonEvent{{"nowruz", 2}}, Campaigns: []SeasonCampaign{{"spring", "2026-05-01", "2026-05-07", 1.5}, {"spring", "2027-05-01", "2027-05-07", 1.5}},
	}
	content, err := f.Encode()
	require.NoError(t, err)
	again, err := Parse(content)
	require.NoError(t, err)
	require.Equal(t, f.Season, again.Season)
	require.Equal(t, f.Season, SeasonOf(again.Ledger().GetSeason()))
	for name, c := range map[string]struct{ old, with, says string }{
		"not positive": {"weekly: [0.8", "weekly: [0", "the multiplier of Monday is 0"},
		"overlap":      {"2027-05-01", "2026-05-07", "events overlap: campaigns spring=2026-05-01..2026-05-07 and spring=2026-05-07..2027-05-07"},
		"no event":     {"nowruz", "easter", `unknown event: "easter"`},
		"no day":       {"2027-05-07", "May 7", `campaign spring has the day "May 7"`},
		"unknown key":  {"yearly:", "monthly:", "monthly"},
	} {
		_, err := Parse([]byte(strings.Replace(string(content), c.old, c.with, 1)))
		require.ErrorIs(t, err, ErrFile, name)
		require.ErrorContains(t, err, c.says, name)
	}
}

func TestWriteRefuses(t *testing.T) {
	f := fitted(t)
	f.Diagnostics.Converged = false
	path := filepath.Join(t.TempDir(), "p.yaml")
	require.ErrorIs(t, f.Write(path), ErrFile)
	require.NoFileExists(t, path)
	require.Error(t, fitted(t).Write(filepath.Join(path, "nowhere", "p.yaml")))
}

func TestParseRefuses(t *testing.T) {
	content, err := fitted(t).Encode()
	require.NoError(t, err)
	good := string(content)
	_, err = Parse(content)
	require.NoError(t, err)
	for name, c := range map[string]struct{ old, with, says string }{
		"another format":     {"parameters/v1", "parameters/v2", `this release reads "mainstay/parameters/v1"`},
		"unknown key":        {"currency:", "curency:", "curency"},
		"key twice":          {"currency:", "model: mbg_nbd\ncurrency:", "already defined"},
		"version 0":          {"version: 20260517123045", "version: 0", "at least 1"},
		"negative version":   {"version: 20260517123045", "version: -1", "cannot unmarshal"},
		"another model":      {"model: mbg_nbd", "model: sbg", "this release has mbg_nbd, bg_nbd, pareto_nbd, blended"},
		"keys of another":    {"model: mbg_nbd", "model: pareto_nbd", "purchases is given, which model pareto_nbd does not have"},
		"keys missing":       {"model: mbg_nbd", "model: blended", "pareto is missing, which model blended has"},
		"unknown status":     {"status: fitted", "status: good", "prior, provisional or fitted"},
		"another time unit":  {"time_unit: week", "time_unit: day", `must be "week"`},
		"not converged":      {"converged: true", "converged: false", "must not be used"},
		"parameter negative": {"  r: ", "  r: -", "MBG/NBD r is -"},
		"parameter missing":  {"  alpha: ", "  # ", "alpha"},
		"not a number":       {"  b: ", "  b: .nan # ", "MBG/NBD b"},
		"infinite":           {"  b: ", "  b: .inf # ", "MBG/NBD b"},
		"spend of q 1":       {"  q: ", "  q: 1 # ", "Gamma-Gamma q is 1"},
		"negative error":     {"  orders: ", "  orders: -", "relative standard error -"},
		"error not a number": {"  orders: ", "  orders: .nan # ", "relative standard error NaN"},
		"a second document":  {"source:", "---\nsource:", "content after the parameters"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Contains(t, good, c.old)
			_, err := Parse([]byte(strings.Replace(good, c.old, c.with, 1)))
			require.ErrorIs(t, err, ErrFile)
			require.ErrorContains(t, err, c.says)
		})
	}
	for name, c := range map[string]struct{ content, says string }{
		"empty":           {"", "it is empty"},
		"only a comment":  {"# nothing", "it is empty"},
		"no YAML":         {"\t:", "found character"},
		"something after": {good + "---\na: 1\n", "content after the parameters"},
		"huge":            {strings.Repeat("#", most+1), "1 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]byte(c.content))
			require.ErrorIs(t, err, ErrFile)
			require.ErrorContains(t, err, c.says)
		})
	}
	_, err = Read(filepath.Join(t.TempDir(), "none.yaml"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func FuzzParse(f *testing.F) {
	file, err := Fit(shop(400), FitOptions{Until: 20100, MinorPerUnit: 100, Now: noon})
	require.NoError(f, err)
	content, err := file.Encode()
	require.NoError(f, err)
	f.Add(content)
	f.Add([]byte("format: mainstay/parameters/v1\nversion: 1\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		got, err := Parse(content)
		if err != nil {
			require.ErrorIs(t, err, ErrFile)
			return
		}
		again, err := got.Encode() // an accepted file can be encoded
		require.NoError(t, err)
		same, err := Parse(again)
		require.NoError(t, err)
		require.Equal(t, got.Ledger(), same.Ledger())
	})
}
