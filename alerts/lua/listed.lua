-- Change the lists: the Control event, its audit entry and what people are shown, all in one step.
-- ARGV: the nine strings of the audit entry, the encoded Control, n, n × (field, entry), m, m × field.
-- Answer: {number of the audit entry, id of the control lane's entry}.
local place = record_from(1)
local lane = redis.call('XADD', P .. 'control', '*', 'e', ARGV[10])
local at = 12
for _ = 1, tonumber(ARGV[11]) do
  redis.call('HSET', P .. 'lists', ARGV[at], ARGV[at + 1])
  at = at + 2
end
for k = 1, tonumber(ARGV[at]) do redis.call('HDEL', P .. 'lists', ARGV[at + k]) end
return {place, lane}
