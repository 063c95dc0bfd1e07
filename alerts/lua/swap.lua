-- Set or end one entry of a hash that people change, audited. ARGV: the hash, the entry's key, the entry as it has to be
-- now ('' = none), the entry after ('' = none), the nine strings of the audit entry. Answer: 'ok' or 'moved'.
local hash = P .. ARGV[1]
local kept = redis.call('HGET', hash, ARGV[2]) or ''
if kept ~= ARGV[3] then return 'moved' end
if ARGV[4] == '' then redis.call('HDEL', hash, ARGV[2]) else redis.call('HSET', hash, ARGV[2], ARGV[4]) end
record_from(5)
return 'ok'
