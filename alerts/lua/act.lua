-- Write a person's step on an alert if it still has the version it was taken on: fields, the lists it is found in,
-- the labels of a verdict and the audit entry, all or nothing.
--
-- ARGV: alert id, version before, status after, fingerprint to free or '', fingerprint to take or '', next deadline or
-- '', next bell or '', number of fields to set, their names and values, number of fields to drop, their names, '1' and the nine strings
-- of an audit entry or '0', then for each label: transaction id, encoded event. Answer: 'ok' or 'moved'.
local LABELLED_TTL = 40 * 24 * 3600
local id, version, to = ARGV[1], ARGV[2], ARGV[3]
local key = alert_key(id)
local f = redis.call('HMGET', key, 'version', 'status', 'severity', 'priority', 'last_time')
if f[1] ~= version then return 'moved' end

local at = 8
local count = tonumber(ARGV[at])
for k = at + 1, at + 2 * count, 2 do redis.call('HSET', key, ARGV[k], ARGV[k + 1]) end
at = at + 2 * count + 1
count = tonumber(ARGV[at])
for k = at + 1, at + count do redis.call('HDEL', key, ARGV[k]) end
at = at + count + 1

if f[2] ~= to then
  unfile(id, f[2], f[3])
  file(id, to, f[3], f[4], f[5])
end
schedule(id, ARGV[6], ARGV[7])
if ARGV[4] ~= '' and redis.call('HGET', P .. 'fingerprints', ARGV[4]) == id then
  redis.call('HDEL', P .. 'fingerprints', ARGV[4])
end
-- A newer alert on the same problem may be collecting hits by now; it goes on doing so.
if ARGV[5] ~= '' then redis.call('HSETNX', P .. 'fingerprints', ARGV[5], id) end

local audited = ARGV[at] == '1'
if audited then record_from(at + 1) end
for k = at + (audited and 10 or 1), #ARGV, 2 do
  redis.call('XADD', P .. 'in', '*', 'e', ARGV[k + 1])
  redis.call('SET', P .. 'labelled:' .. ARGV[k], id, 'EX', LABELLED_TTL)
end
return 'ok'
