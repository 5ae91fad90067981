package redis

import (
	"errors"
	"io"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

type reply string

func (r reply) Error() string { return string(r) }
func (reply) RedisError()     {}

// An error of any kind among the replies of an EXEC that was executed leaves a part behind; the same error from all is that
// of an EXEC which was refused.
func TestOutcome(t *testing.T) {
	const odd, full = reply("ERR something new"), reply("OOM command not allowed")
	for name, c := range map[string]struct {
		replies []error
		err     error
		torn    bool
		class   error
	}{
		"done":             {[]error{nil, nil}, nil, false, nil},
		"in part":          {[]error{nil, odd, nil}, odd, true, ErrTorn},
		"in part, full":    {[]error{full, nil}, full, true, ErrTorn},
		"refused":          {[]error{full, full}, full, false, ErrFull},
		"aborted":          {[]error{full, reply("EXECABORT")}, reply("EXECABORT"), false, ErrFull},
		"aborted, denied":  {[]error{nil, reply("NOPERM no permission"), reply("EXECABORT")}, reply("EXECABORT"), false, ErrDenied},
		"aborted, unsaid":  {[]error{reply("EXECABORT"), reply("EXECABORT")}, reply("EXECABORT"), false, ErrUnavailable},
		"answer cut short": {[]error{nil, io.EOF}, io.EOF, false, ErrUnavailable},
		"watched":          {[]error{redis.TxFailedErr, redis.TxFailedErr}, redis.TxFailedErr, false, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var cmds []redis.Cmder
			for _, err := range c.replies {
				cmd := redis.NewStatusCmd(t.Context())
				cmd.SetErr(err)
				cmds = append(cmds, cmd)
			}
			got := execError(cmds, abortCause(cmds, c.err))
			require.Equal(t, c.torn, errors.Is(got, ErrTorn))
			require.Equal(t, c.err == nil, got == nil)
			if got != nil {
				require.Equal(t, c.class, errorClass(got))
			}
		})
	}
}
