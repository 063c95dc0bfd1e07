-- How an alert is kept: a hash `alert:<id>`, its newest events in a list, its audit trail in another, and the
-- sorted sets that the queue is read from. Numbers are written with 17 digits: a double comes back as it was.
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

local function note(id, actor, action, at, detail, version)
  local entry = {actor = actor, action = action, at = at, detail = detail, version = version}
  redis.call('RPUSH', alert_key(id) .. ':audit', cjson.encode(entry))
end
