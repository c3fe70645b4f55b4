"""What runs within Redis, at once or not at all.

Redis keeps what a script wrote before it failed. So each script first looks at everything that could make it
fail, the keys' types among it, and only then writes; being full, read-only or unable to save are refused by
Redis itself at the first write.

Every script takes KEYS in the order of `KEYS` below, and the store's identity as ARGV[1]. It answers a list,
of which the first says what came of it.
"""

from __future__ import annotations

KEYS = ("state", "lease", "log", "events", "requests", "order", "reports", "changes")
"""Names of the keys after the cluster's prefix.

    state     hash: format, cluster, identity, version, body
    lease     hash: holder ("" is nobody), token, expires
    log       hash: number -> entry
    events    list, the newest first
    requests  hash: request id -> outcome
    order     list of request ids, the oldest first
    reports   hash: replica -> report
    changes   stream that wakes those who wait
"""

_TYPES = """
local STATE, LEASE, LOG, EVENTS, REQUESTS, ORDER, REPORTS, CHANGES = unpack(KEYS)
local types = {'hash', 'hash', 'hash', 'list', 'hash', 'list', 'hash', 'stream'}
for i, key in ipairs(KEYS) do
  local type = redis.call('TYPE', key).ok
  if type ~= 'none' and type ~= types[i] then return {'corrupt', key} end
end
"""

_PRELUDE = (
    _TYPES
    + """
if redis.call('HGET', STATE, 'identity') ~= ARGV[1] then return {'replaced'} end
local function wake(what)
  redis.call('XADD', CHANGES, 'MAXLEN', '~', 100, '*', what, 1)
end
"""
)

OPEN = (
    _TYPES
    + """
local identity, format, cluster = unpack(ARGV)
local found = redis.call('HMGET', STATE, 'identity', 'format', 'cluster')
if found[1] and found[2] and found[3] then return {'ok', found[1], found[2], found[3]} end
if redis.call('EXISTS', unpack(KEYS)) > 0 then return {'corrupt', STATE} end
redis.call('HSET', STATE, 'identity', identity, 'format', format, 'cluster', cluster)
redis.call('HSET', STATE, 'version', 0, 'body', '')
return {'ok', identity, format, cluster}
"""
)
"""ARGV: identity, format and cluster of a new store. Answers those of the store that is there now."""

COMMIT = (
    _PRELUDE
    + """
local _, expected, version, body, token, number, lines, request, outcome = unpack(ARGV, 1, 9)
local max_events, max_requests, forget = tonumber(ARGV[10]), tonumber(ARGV[11]), ARGV[12]
local lease = redis.call('HMGET', LEASE, 'holder', 'token')
local holder, current = lease[1] or '', lease[2] or '0'
if token ~= '' and (holder == '' or token ~= current) then return {'fenced', current, holder} end
local found = redis.call('HGET', STATE, 'version')
if not (found and found:match('^%d+$')) then return {'corrupt', STATE} end
if found ~= expected then return {'conflict', found} end
local following = redis.call('HLEN', LOG) + 1
if number ~= '' and tonumber(number) ~= following then return {'next', following} end
if request ~= '' and redis.call('HEXISTS', REQUESTS, request) == 1 then return {'repeated'} end

redis.call('HSET', STATE, 'version', version, 'body', body)
for i = 1, tonumber(lines) do
  redis.call('HSET', LOG, string.format('%d', following + i - 1), ARGV[12 + i])
end
for i = 13 + tonumber(lines), #ARGV do redis.call('LPUSH', EVENTS, ARGV[i]) end
redis.call('LTRIM', EVENTS, 0, max_events - 1)
if request ~= '' then
  redis.call('HSET', REQUESTS, request, outcome)
  redis.call('RPUSH', ORDER, request)
  while redis.call('LLEN', ORDER) > max_requests do
    redis.call('HDEL', REQUESTS, redis.call('LPOP', ORDER))
  end
end
if forget ~= '' then redis.call('DEL', forget) end
wake('head')
return {'ok'}
"""
)
"""ARGV: identity; expected, new version, body; token or ''; number of the first of the log's new lines or '',
and how many there are; request and outcome or '', ''; how many events and requests are kept; a blob's key to
forget or ''; then these lines; then the events, the oldest first."""

LEASE = (
    _PRELUDE
    + """
local _, wanted, seconds = unpack(ARGV)
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local lease = redis.call('HMGET', LEASE, 'holder', 'token', 'expires')
local holder, token, expires = lease[1] or '', tonumber(lease[2] or 0), tonumber(lease[3] or 0)
if not (token and expires) then return {'corrupt', LEASE} end
local running = holder ~= '' and expires > now
if running and holder ~= wanted then return {'held'} end
if not running then token = token + 1 end
local ends = string.format('%.6f', now + seconds)
redis.call('HSET', LEASE, 'holder', wanted, 'token', string.format('%d', token), 'expires', ends)
return {'ok', string.format('%d', token), ends}
"""
)
"""ARGV: identity, holder, seconds. Answers the token and the end."""

RELEASE = (
    _PRELUDE
    + """
local lease = redis.call('HMGET', LEASE, 'holder', 'token')
if lease[2] == ARGV[2] and lease[1] ~= '' then
  redis.call('HSET', LEASE, 'holder', '', 'expires', 0)
  wake('lease')
end
return {'ok'}
"""
)
"""ARGV: identity, token."""

PUT_REPORT = (
    _PRELUDE
    + """
redis.call('HSET', REPORTS, ARGV[2], ARGV[3])
wake('report')
return {'ok'}
"""
)
"""ARGV: identity, replica, report."""

DROP_REPORT = (
    _PRELUDE
    + """
if redis.call('HDEL', REPORTS, ARGV[2]) == 1 then wake('report') end
return {'ok'}
"""
)
"""ARGV: identity, replica."""
