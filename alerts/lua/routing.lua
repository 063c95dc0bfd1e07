-- Save what a step of the router changed, all or nothing, if nobody else saved in between.
--
-- ARGV: version before, number of parts to write, to delete, of messages that are done, how many of those and of
-- attempts are kept, then names and values, names, for each done message its id, moment, outcome and record, and the
-- attempts.
-- Answer: the version after, or -1.
local parts, done, order = P .. 'routing', P .. 'routing:done', P .. 'routing:done:order'
local dead = P .. 'routing:dead'
local version = tonumber(redis.call('HGET', parts, 'version') or '0')
if version ~= tonumber(ARGV[1]) then return -1 end

local at = 7
for _ = 1, tonumber(ARGV[2]) do
  redis.call('HSET', parts, ARGV[at], ARGV[at + 1])
  at = at + 2
end
for _ = 1, tonumber(ARGV[3]) do
  redis.call('HDEL', parts, ARGV[at])
  at = at + 1
end
for _ = 1, tonumber(ARGV[4]) do
  redis.call('HSET', done, ARGV[at], ARGV[at + 3])
  redis.call('ZADD', order, ARGV[at + 1], ARGV[at])
  if ARGV[at + 2] == 'dead' then
    redis.call('ZADD', dead, ARGV[at + 1], ARGV[at])
  else
    redis.call('ZREM', dead, ARGV[at])
  end
  at = at + 4
end
local surplus = redis.call('ZCARD', order) - tonumber(ARGV[5])
if surplus > 0 then
  for _, id in ipairs(redis.call('ZRANGE', order, 0, surplus - 1)) do
    redis.call('HDEL', done, id)
    redis.call('ZREM', order, id)
    redis.call('ZREM', dead, id)
  end
end
while at <= #ARGV do
  redis.call('XADD', P .. 'deliveries', 'MAXLEN', '~', ARGV[6], '*', 'd', ARGV[at])
  at = at + 1
end
redis.call('HSET', parts, 'version', string.format('%d', version + 1))
return version + 1
