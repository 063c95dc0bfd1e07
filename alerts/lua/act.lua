-- A person acts on an alert: compare-and-set on its version, audited, with the labels of a verdict queued in
-- the same step.
--
-- ARGV: verb, alert id, version, actor, now, argument (lease end, verdict, new status), detail, then for each
-- label: transaction id, encoded event. Answer: {outcome, alert hash, its events}.
local verb, id, version, actor, now = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5]
local argument, detail = ARGV[6], ARGV[7]
local LABELLED_TTL = 40 * 24 * 3600
local key = alert_key(id)

local function answer(outcome)
  return {outcome, redis.call('HGETALL', key), redis.call('LRANGE', key .. ':events', 0, -1)}
end

if redis.call('EXISTS', key) == 0 then return {'missing', {}, {}} end
local f = redis.call('HMGET', key, 'status', 'severity', 'priority', 'last_time', 'version', 'claimed_by',
  'claimed_until', 'resolved_by', 'verdict', 'fingerprint')
local status, severity, priority, last_time, current = f[1], f[2], f[3], f[4], tonumber(f[5])

local function queue_labels()
  for k = 8, #ARGV, 2 do
    redis.call('XADD', P .. 'in', '*', 'e', ARGV[k + 1])
    redis.call('SET', P .. 'labelled:' .. ARGV[k], id, 'EX', LABELLED_TTL)
  end
end

local function move(to)
  redis.call('HSET', key, 'status', to, 'version', current + 1)
  unfile(id, status, severity)
  file(id, to, severity, priority, last_time)
end

if verb == 'claim' then
  local held = f[6] and tonumber(f[7] or '0') > tonumber(now)
  if status == 'resolved' or (held and f[6] ~= actor) then return answer('conflict') end
  redis.call('HSET', key, 'claimed_by', actor, 'claimed_until', argument)
  if not held then
    redis.call('HINCRBY', key, 'version', 1)
    note(id, actor, 'claimed', now, '', tostring(current + 1))
  end
  return answer('ok')
end

if verb == 'resolve' and status == 'resolved' and current == version + 1 and f[8] == actor
  and f[9] == argument then
  -- The same verdict again: the first answer was lost on the way.
  return answer('ok')
end
if current ~= version or (status == 'resolved') ~= (verb == 'undo') then return answer('conflict') end

if verb == 'resolve' then
  move('resolved')
  redis.call('HSET', key, 'verdict', argument, 'resolved_at', now, 'resolved_by', actor)
  redis.call('HDEL', key, 'claimed_by', 'claimed_until', 'learned')
  if redis.call('HGET', P .. 'fingerprints', f[10]) == id then redis.call('HDEL', P .. 'fingerprints', f[10]) end
  queue_labels()
  note(id, actor, 'resolved', now, argument, tostring(version + 1))
elseif verb == 'undo' then
  move('open')
  redis.call('HDEL', key, 'verdict', 'resolved_at', 'resolved_by', 'learned')
  -- A newer alert on the same problem may be collecting hits by now; it goes on doing so.
  redis.call('HSETNX', P .. 'fingerprints', f[10], id)
  queue_labels()
  note(id, actor, 'undone', now, '', tostring(version + 1))
else
  move(argument)
  note(id, actor, argument, now, detail, tostring(version + 1))
end
return answer('ok')
