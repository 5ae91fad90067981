package memory

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestChoose(t *testing.T) {
	const cache = 256 * mib
	for name, c := range map[string]struct {
		env   string
		files map[string]string
		want  Limit
	}{
		"no container": {files: map[string]string{}, want: Limit{Bytes: 366 * mib, Source: "fold.cache_bytes"}},
		"set by hand": {
			env: "1GiB", files: map[string]string{"/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": "1000"},
			want: Limit{Source: "GOMEMLIMIT=1GiB"},
		},
		"a container without a limit": {
			files: map[string]string{"/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": "max\n"},
			want:  Limit{Bytes: 366 * mib, Source: "fold.cache_bytes"},
		},
		"a large container": {
			files: map[string]string{"/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": "1073741824\n"},
			want:  Limit{Bytes: 366 * mib, Source: "fold.cache_bytes", Container: 1024 * mib},
		},
		"a small container": {
			files: map[string]string{"/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": "419430400\n"},
			want:  Limit{Bytes: 340 * mib, Source: "the container's memory limit", Container: 400 * mib, Short: true},
		},
		"a tiny container": {
			files: map[string]string{"/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": "67108864\n"},
			want:  Limit{Bytes: 32 * mib, Source: "the container's memory limit", Container: 64 * mib, Short: true},
		},
		"a parent allows less": {
			files: map[string]string{
				"/proc/self/cgroup": "0::/a/b\n", "/sys/fs/cgroup/a/b/memory.max": "max\n", "/sys/fs/cgroup/a/memory.max": "419430400\n",
			},
			want: Limit{Bytes: 340 * mib, Source: "the container's memory limit", Container: 400 * mib, Short: true},
		},
		"version 1": {
			files: map[string]string{
				"/proc/self/cgroup": "5:cpu,cpuacct:/x\n4:memory:/docker/1\n0::/\n",
				"/sys/fs/cgroup/memory/docker/1/memory.limit_in_bytes": "419430400\n", "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
			},
			want: Limit{Bytes: 340 * mib, Source: "the container's memory limit", Container: 400 * mib, Short: true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := Choose(cache, func(string) string { return c.env }, func(file string) ([]byte, error) {
				text, ok := c.files[file]
				if !ok {
					return nil, os.ErrNotExist
				}
				return []byte(text), nil
			})
			require.Equal(t, c.want, got)
		})
	}
}
