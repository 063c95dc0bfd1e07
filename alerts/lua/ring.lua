-- A bell about an alert's deadline rings: record it and set the next one, if it is still the bell that was read.
-- ARGV: alert id, the bell as read, the next bell or '', the nine strings of the audit entry. Answer: 'ok' or 'moved'.
local bells, id = P .. 'alerts:bell', ARGV[1]
local score = redis.call('ZSCORE', bells, id)
if not score or tonumber(score) ~= tonumber(ARGV[2]) then return 'moved' end
if ARGV[3] == '' then redis.call('ZREM', bells, id) else redis.call('ZADD', bells, ARGV[3], id) end
record_from(4)
return 'ok'
