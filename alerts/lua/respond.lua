-- Documents of the response, compared and set, all or none. ARGV: number of documents, then for each kind, id,
-- version before, version, body, live; number of links, then alert and incident of each; then id and body of each
-- effect owed. Answer: 'done' or 'moved'.
local at = 2
for _ = 1, tonumber(ARGV[1]) do
  local versions = P .. 'response:' .. ARGV[at] .. ':versions'
  if (redis.call('HGET', versions, ARGV[at + 1]) or '0') ~= ARGV[at + 2] then return 'moved' end
  at = at + 6
end
at = 2
for _ = 1, tonumber(ARGV[1]) do
  local key, id = P .. 'response:' .. ARGV[at], ARGV[at + 1]
  redis.call('HSET', key .. ':versions', id, ARGV[at + 3])
  redis.call('HSET', key, id, ARGV[at + 4])
  redis.call(ARGV[at + 5] == '1' and 'SADD' or 'SREM', key .. ':live', id)
  at = at + 6
end
local links = tonumber(ARGV[at])
at = at + 1
for _ = 1, links do
  redis.call('HSET', P .. 'response:alerts', ARGV[at], ARGV[at + 1])
  at = at + 2
end
local order = P .. 'response:owed:order'
local last = redis.call('ZREVRANGE', order, 0, 0, 'WITHSCORES')
local place = last[2] and tonumber(last[2]) or 0
while at < #ARGV do
  place = place + 1
  redis.call('HSET', P .. 'response:owed', ARGV[at], ARGV[at + 1])
  redis.call('ZADD', order, 'NX', place, ARGV[at])
  at = at + 2
end
return 'done'
