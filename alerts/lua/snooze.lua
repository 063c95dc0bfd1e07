-- Set or end the snooze of a rule on an entity, audited. ARGV: its key, the snooze as it has to be now ('' = none),
-- the snooze after ('' = none), the nine strings of the audit entry. Answer: 'ok' or 'moved'.
local kept = redis.call('HGET', P .. 'snoozes', ARGV[1]) or ''
if kept ~= ARGV[2] then return 'moved' end
if ARGV[3] == '' then redis.call('HDEL', P .. 'snoozes', ARGV[1]) else redis.call('HSET', P .. 'snoozes', ARGV[1], ARGV[3]) end
record_from(4)
return 'ok'
