-- One batch of the scorer's output, all or nothing. Everything that can be refused is refused before the first
-- write, since a script that fails half way is not rolled back.
--
-- ARGV[1]: JSON header. Then the bytes of each decision. Then for each piece of the index: end of its key, offset, bytes
-- (alerts/decision_index.py). Then for each hit HIT_FIELDS strings. Then for each dead letter its bytes.
-- Answer: {'done'}, or {'moved'} when the cursors are not where the caller believed.
local h = cjson.decode(ARGV[1])
local HIT_FIELDS = 14
local SNOOZES = P .. 'snoozes'
local snoozed = h.n_hits > 0 and redis.call('EXISTS', SNOOZES) == 1
local CURSORS = P .. 'cursors'
local LAST = {decisions = P .. 'decisions', dead = P .. 'dead'}

for name, expected in pairs(h.cursors) do
  if tonumber(redis.call('HGET', CURSORS, name) or '0') ~= expected then return {'moved'} end
  if LAST[name] then
    local newest = redis.call('XREVRANGE', LAST[name], '+', '-', 'COUNT', 1)[1]
    if newest and tonumber(string.match(newest[1], '^%d+')) > expected then return {'torn', LAST[name]} end
  end
end

local at = 2

local PER_CALL = 1000 -- Lua's stack holds some 8,000 arguments of a call.

local function generation(ordinal) return math.floor(ordinal / h.generation) end

local function write_decisions()
  local stream, count = P .. 'decisions', h.n_decisions
  if count == 0 then return end
  local last = h.first_decision + count - 1
  for k = 0, count - 1 do
    redis.call('XADD', stream, string.format('%d-0', h.first_decision + k), 'd', ARGV[at + k])
  end
  at = at + count
  for _ = 1, h.n_index do
    redis.call('SETRANGE', P .. 'index:' .. ARGV[at], ARGV[at + 1], ARGV[at + 2])
    at = at + 3
  end
  redis.call('XTRIM', stream, 'MAXLEN', h.keep)
  local function below(ordinal) return generation(math.max(ordinal - h.keep, 0)) end
  for g = below(h.cursors.decisions), below(last) - 1 do
    for _, kind in ipairs(h.kinds) do redis.call('UNLINK', P .. 'index:' .. kind .. ':' .. g) end
  end
end

-- Until when every cause of the hit is snoozed for its entity at its severity; nil: at least one is not.
local function quiet_until(hit)
  if not snoozed then return nil end
  local ends = nil
  for cause in string.gmatch(hit.causes, '[^\31]+') do
    local kept = redis.call('HGET', SNOOZES, cause .. '\31' .. hit.kind .. '\31' .. hit.entity)
    local snooze = kept and cjson.decode(kept)
    if not snooze or snooze['until'] <= h.now or hit.severity < snooze.severity then return nil end
    ends = math.min(ends or snooze['until'], snooze['until'])
  end
  return ends
end

local function tell(id, action, before, after)
  record('tidegate', 'tidegate', action, 'alert', id, exact(h.now), '', before, after)
end

local function wait_from_now(id, severity)
  schedule(id, exact(h.now + h.acknowledge[severity]), exact(h.now + h.warn[severity]))
end

local function open_alert(hit)
  local key = alert_key(hit.id)
  if redis.call('EXISTS', key) == 1 then return end
  local quiet = quiet_until(hit)
  local status = quiet and 'snoozed' or 'open'
  redis.call('HSET', key, 'id', hit.id, 'fingerprint', hit.fingerprint, 'version', 1, 'status', status,
    'severity', hit.severity, 'priority', hit.priority, 'typology', hit.typology, 'entity_kind', hit.kind,
    'entity', hit.entity, 'count', 1, 'amount_usd', hit.amount, 'first_time', hit.time, 'last_time', hit.time,
    'opened_at', hit.time, 'risk', hit.risk, 'decision', hit.decision, 'waiting_since', exact(h.now),
    'severity_since', exact(h.now))
  redis.call('RPUSH', key .. ':events', hit.event)
  redis.call('HSET', P .. 'fingerprints', hit.fingerprint, hit.id)
  redis.call('ZADD', P .. 'alerts:of:' .. hit.kind .. ':' .. hit.entity, hit.time, hit.id)
  file(hit.id, status, hit.severity, hit.priority, hit.time)
  tell(hit.id, 'opened', 'null', cjson.encode({severity = hit.severity, status = status, event_id = hit.event}))
  if quiet then
    redis.call('HSET', key, 'snoozed_until', exact(quiet))
    schedule(hit.id, exact(quiet), exact(quiet))
  else
    wait_from_now(hit.id, hit.severity)
  end
end

local ENDED_BY_WORSE = {acknowledged = true, snoozed = true, proposed = true}

local function merge(id, was, hit)
  local key = alert_key(id)
  if redis.call('LPOS', key .. ':events', hit.event) then return end
  local worse = hit.severity < was.severity
  local severity = worse and hit.severity or was.severity
  local heard = worse and not (was.status == 'snoozed' and quiet_until(hit))
  local status = (heard and ENDED_BY_WORSE[was.status]) and 'open' or was.status
  local priority = exact(was.priority + tonumber(hit.priority))
  local last_time = exact(math.max(was.last_time, tonumber(hit.time)))
  redis.call('HINCRBY', key, 'version', 1)
  redis.call('HINCRBY', key, 'count', 1)
  redis.call('HSET', key, 'status', status, 'severity', severity, 'priority', priority, 'last_time', last_time,
    'amount_usd', exact(was.amount_usd + tonumber(hit.amount)),
    'first_time', exact(math.min(was.first_time, tonumber(hit.time))))
  if tonumber(hit.risk) > was.risk then redis.call('HSET', key, 'risk', hit.risk, 'decision', hit.decision) end
  redis.call('RPUSH', key .. ':events', hit.event)
  redis.call('LTRIM', key .. ':events', -h.max_events, -1)
  redis.call('ZADD', P .. 'alerts:of:' .. hit.kind .. ':' .. hit.entity, last_time, id)
  unfile(id, was.status, was.severity)
  file(id, status, severity, priority, last_time)
  if worse then
    redis.call('HSET', key, 'severity_since', exact(h.now))
    tell(id, 'worsened', cjson.encode({severity = was.severity, status = was.status}),
      cjson.encode({severity = severity, status = status, event_id = hit.event}))
  end
  if heard then
    redis.call('HSET', key, 'waiting_since', exact(h.now))
    redis.call('HDEL', key, 'acknowledged_by', 'acknowledged_at', 'snoozed_until', 'snoozed_by', 'snooze_reason',
      'proposed_verdict', 'proposed_by', 'proposed_at')
    wait_from_now(id, severity)
  end
end

local function write_hits()
  for _ = 1, h.n_hits do
    local hit = {ordinal = ARGV[at], fingerprint = ARGV[at + 1], id = ARGV[at + 2], event = ARGV[at + 3],
      time = ARGV[at + 4], severity = ARGV[at + 5], priority = ARGV[at + 6], typology = ARGV[at + 7],
      kind = ARGV[at + 8], entity = ARGV[at + 9], amount = ARGV[at + 10], risk = ARGV[at + 11],
      decision = ARGV[at + 12], causes = ARGV[at + 13]}
    at = at + HIT_FIELDS
    local id = redis.call('HGET', P .. 'fingerprints', hit.fingerprint)
    local f = id and redis.call('HMGET', alert_key(id), 'status', 'severity', 'last_time', 'first_time',
      'priority', 'amount_usd', 'risk')
    if f and f[1] and f[1] ~= 'resolved' and tonumber(hit.time) - tonumber(f[3]) <= h.merge_window then
      merge(id, {status = f[1], severity = f[2], last_time = tonumber(f[3]), first_time = tonumber(f[4]),
        priority = tonumber(f[5]), amount_usd = tonumber(f[6]), risk = tonumber(f[7])}, hit)
    else
      open_alert(hit)
    end
  end
end

local function write_dead()
  for k = 0, h.n_dead - 1 do
    redis.call('XADD', P .. 'dead', string.format('%d-0', h.first_dead + k), 'd', ARGV[at + k])
  end
  if h.n_dead > 0 then redis.call('XTRIM', P .. 'dead', 'MAXLEN', '~', h.keep_dead) end
end

-- A minute has dozens of counters: read and written together, they cost a third of as many increments.
local function write_minutes()
  for _, minute in ipairs(h.minutes) do
    local key = P .. 'minute:' .. minute[1]
    local names, adds, pairs_ = minute[2], minute[3], {}
    for start = 1, #names, PER_CALL do
      local stop = math.min(start + PER_CALL - 1, #names)
      local before = redis.call('HMGET', key, unpack(names, start, stop))
      for k = start, stop do
        pairs_[#pairs_ + 1] = names[k]
        pairs_[#pairs_ + 1] = exact((tonumber(before[k - start + 1]) or 0) + adds[k])
      end
    end
    for start = 1, #pairs_, PER_CALL do
      redis.call('HSET', key, unpack(pairs_, start, math.min(start + PER_CALL - 1, #pairs_)))
    end
    redis.call('EXPIRE', key, h.minute_ttl)
    redis.call('ZADD', P .. 'minutes', minute[1], minute[1])
  end
  if #h.minutes > 0 then redis.call('ZREMRANGEBYRANK', P .. 'minutes', 0, -h.keep_minutes - 1) end
end

write_decisions()
write_hits()
write_dead()
write_minutes()
write_rules(h.rules)
redis.call('HSET', CURSORS, 'decisions', exact(h.cursors.decisions + h.n_decisions),
  'hits', exact(h.cursors.hits + h.n_hits), 'dead', exact(h.cursors.dead + h.n_dead))
if h.events_in >= tonumber(redis.call('HGET', CURSORS, 'events_in') or '0') then
  redis.call('HSET', CURSORS, 'events_in', exact(h.events_in))
  redis.call('SET', P .. 'counters', h.counters)
  if h.taken ~= '' then redis.call('HSET', CURSORS, 'taken', h.taken) end
end
if h.stream_time > tonumber(redis.call('HGET', CURSORS, 'stream_time') or '0') then
  redis.call('HSET', CURSORS, 'stream_time', exact(h.stream_time))
end
return {'done'}
