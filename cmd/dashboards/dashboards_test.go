package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

const committed = "../../deploy/grafana/dashboards"

func TestCommittedDashboardsAreGenerated(t *testing.T) {
	files, err := generate()
	require.NoError(t, err)
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(committed, name))
		require.NoError(t, err)
		require.Equal(t, string(want), string(got), "%s has drifted: go run ./cmd/dashboards", name)
	}
	there, err := os.ReadDir(committed)
	require.NoError(t, err)
	require.Len(t, there, len(files), "a dashboard that the program does not generate")
}

func TestWriteCreatesEachFile(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, write(dir))
	there, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, there, 2)
	require.ErrorContains(t, write(filepath.Join(dir, "nowhere")), "write a dashboard")
}

// grafanaModel is a dashboard as Grafana reads it.
type grafanaModel struct {
	UID        string `json:"uid"`
	Title      string `json:"title"`
	Templating struct {
		List []struct {
			Name string `json:"name"`
		} `json:"list"`
	} `json:"templating"`
	Panels []struct {
		ID          int    `json:"id"`
		Type        string `json:"type"`
		Title       string `json:"title"`
		Description string `json:"description"`
		GridPos     struct {
			X int `json:"x"`
			Y int `json:"y"`
			W int `json:"w"`
			H int `json:"h"`
		} `json:"gridPos"`
		FieldConfig struct {
			Defaults struct {
				Unit    string `json:"unit"`
				NoValue string `json:"noValue"`
			} `json:"defaults"`
		} `json:"fieldConfig"`
		Targets []struct {
			Expr         string `json:"expr"`
			RefID        string `json:"refId"`
			LegendFormat string `json:"legendFormat"`
		} `json:"targets"`
		Datasource struct {
			UID string `json:"uid"`
		} `json:"datasource"`
	} `json:"panels"`
}

func TestEveryPanelIsComplete(t *testing.T) {
	files, err := generate()
	require.NoError(t, err)
	require.Len(t, files, 2)
	uids := map[string]bool{}
	for name, text := range files {
		var b grafanaModel
		require.NoError(t, json.Unmarshal(text, &b))
		require.NotEmpty(t, b.Title)
		require.False(t, uids[b.UID])
		uids[b.UID] = true
		require.Equal(t, "datasource", b.Templating.List[0].Name)
		ids, taken := map[int]bool{}, map[[2]int]string{}
		for _, p := range b.Panels {
			require.False(t, ids[p.ID], "%s: %s has the id of another panel", name, p.Title)
			ids[p.ID] = true
			for x := range p.GridPos.W {
				for y := range p.GridPos.H {
					at := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
					require.Empty(t, taken[at], "%s overlaps another panel", p.Title)
					require.Less(t, at[0], 24, p.Title)
					taken[at] = p.Title
				}
			}
			if p.Type == "row" {
				continue
			}
			require.NotEmpty(t, p.Title)
			require.NotEmpty(t, p.Description, p.Title)
			require.NotEmpty(t, p.FieldConfig.Defaults.Unit, p.Title)
			require.NotEmpty(t, p.FieldConfig.Defaults.NoValue, p.Title)
			require.Equal(t, "${datasource}", p.Datasource.UID)
			require.NotEmpty(t, p.Targets, p.Title)
			refs := map[string]bool{}
			for _, q := range p.Targets {
				require.NotEmpty(t, q.Expr, p.Title)
				require.NotEmpty(t, q.LegendFormat, p.Title)
				require.False(t, refs[q.RefID], "%s uses a refId twice", p.Title)
				refs[q.RefID] = true
			}
		}
	}
}
