package embedded

import (
	"bufio"
	"bytes"
	"fmt"

	"github.com/alicebob/miniredis/v2/proto"
	"github.com/alicebob/miniredis/v2/server"
)

// Copy is the content of Redis at one moment: for each key its name, its type, the number of strings that follow, and these.
type Copy []string

// Each script runs as one command, so a copy is consistent and no client sees a part of a restored one.
const (
	copyScript = `
local all = {}
local function add(v) all[#all + 1] = v end
for _, key in ipairs(redis.call('KEYS', '*')) do
  local kind = redis.call('TYPE', key).ok
  local values
  if kind == 'hash' then values = redis.call('HGETALL', key)
  elseif kind == 'zset' then values = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
  elseif kind == 'string' then values = {redis.call('GET', key)}
  else return redis.error_reply('ERR cannot copy a ' .. kind) end
  add(key) add(kind) add(tostring(#values))
  for _, v in ipairs(values) do add(v) end
end
return all`

	// Keys are deleted one by one: FLUSHALL of miniredis does not fail the transactions that WATCH them.
	restoreScript = `
for _, key in ipairs(redis.call('KEYS', '*')) do redis.call('DEL', key) end
local i = 1
while i <= #ARGV do
  local key, kind, n = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2])
  i = i + 3
  if kind == 'string' then redis.call('SET', key, ARGV[i])
  else
    for j = i, i + n - 2, 2 do
      if kind == 'hash' then redis.call('HSET', key, ARGV[j], ARGV[j + 1])
      else redis.call('ZADD', key, ARGV[j + 1], ARGV[j]) end
    end
  end
  i = i + n
end
return {}`
)

// Copy takes a copy of all keys of database 0.
func (e *Embedded) Copy() (Copy, error) {
	all, err := e.eval(copyScript)
	if err != nil {
		return nil, fmt.Errorf("copy the embedded Redis: %w", err)
	}
	return all, nil
}

// Restore replaces all keys by a copy, as a restart from an old file does or a failover to a replica that lags: acknowledged
// writes are lost, transactions that watch a key fail, and connections break.
func (e *Embedded) Restore(c Copy) error {
	if _, err := e.eval(restoreScript, c...); err != nil {
		return fmt.Errorf("restore the embedded Redis: %w", err)
	}
	e.CutRedis()
	return nil
}

// Empty deletes all keys, as a restart without persistence does.
func (e *Embedded) Empty() error { return e.Restore(nil) }

// eval runs a script without a connection, so that no injected fault can hit it.
func (e *Embedded) eval(script string, args ...string) ([]string, error) {
	if e.miniredis == nil {
		return nil, errNoRedis
	}
	var answer bytes.Buffer
	peer := server.NewPeer(bufio.NewWriter(&answer))
	e.miniredis.Server().Dispatch(peer, append([]string{"EVAL", script, "0"}, args...))
	peer.Flush()
	all, err := proto.ReadStrings(answer.String())
	if err != nil {
		return nil, fmt.Errorf("run a script: %w", err)
	}
	return all, nil
}
