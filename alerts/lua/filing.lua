-- How an alert is kept: a hash `alert:<id>`, its newest events in a list, and the sorted sets that the queue and the
-- deadlines are read from. Numbers are written with 17 digits: a double comes back as it was.
local P = KEYS[1]

local function exact(number) return string.format('%.17g', number) end

local function alert_key(id) return P .. 'alert:' .. id end

local function unfile(id, status, severity)
  redis.call('ZREM', P .. 'alerts:' .. status .. ':priority', id)
  redis.call('ZREM', P .. 'alerts:' .. status .. ':newest', id)
  if status == 'open' then redis.call('SREM', P .. 'alerts:open:' .. severity, id) end
end

local function file(id, status, severity, priority, last_time)
  redis.call('ZADD', P .. 'alerts:' .. status .. ':priority', priority, id)
  redis.call('ZADD', P .. 'alerts:' .. status .. ':newest', last_time, id)
  if status == 'open' then redis.call('SADD', P .. 'alerts:open:' .. severity, id) end
end

-- By when somebody has to act on the alert, and when the next bell about that rings; '' = never.
local function schedule(id, by, bell)
  if by == '' then redis.call('ZREM', P .. 'alerts:due', id) else redis.call('ZADD', P .. 'alerts:due', by, id) end
  if bell == '' then redis.call('ZREM', P .. 'alerts:bell', id) else redis.call('ZADD', P .. 'alerts:bell', bell, id) end
end

-- The number of the next audit entry. It goes on behind entries that were deleted by hand, so that it is always
-- free and the gap shows.
local function audit_next()
  local info = redis.pcall('XINFO', 'STREAM', P .. 'audit')
  if not info.err then
    for k = 1, #info, 2 do
      if info[k] == 'last-generated-id' then return tonumber(string.match(info[k + 1], '^%d+')) + 1 end
    end
  end
  local link = redis.call('XREVRANGE', P .. 'audit:links', '+', '-', 'COUNT', 1)[1]
  return link and tonumber(string.match(link[1], '^%d+')) + 1 or 1
end

-- Append an entry to the audit trail in the same step as what it tells of. `before`, `after`: JSON text. The order
-- is fixed here; the hashes are put on by whoever calls seal_audit next.
local audit_seq = nil
local function record(actor, role, action, kind, id, at, reason, before, after)
  audit_seq = audit_seq and audit_seq + 1 or audit_next()
  local place = string.format('%d', audit_seq)
  redis.call('XADD', P .. 'audit', place .. '-0', 'actor', actor, 'role', role, 'action', action, 'kind', kind,
    'id', id, 'at', at, 'reason', reason, 'before', before, 'after', after)
  redis.call('RPUSH', P .. 'audit:of:' .. kind .. ':' .. id, place)
  return place
end

-- The same from the nine strings at ARGV[k] on, as alerts.audit_trail.arguments_of gives them.
local function record_from(k)
  return record(ARGV[k], ARGV[k + 1], ARGV[k + 2], ARGV[k + 3], ARGV[k + 4], ARGV[k + 5], ARGV[k + 6], ARGV[k + 7],
    ARGV[k + 8])
end
