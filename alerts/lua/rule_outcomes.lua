-- Labels change the outcome of payments that rules hit, and with it the counts of their day: all or nothing.
--
-- ARGV[1]: JSON list of {event id, outcome before, after, day, {count, amount, …}}.
-- Answer: {'done'}, or {'moved'} when an outcome is not what the caller believed.
local changes, payments = cjson.decode(ARGV[1]), P .. 'hit_payments'

for _, change in ipairs(changes) do
  local before = redis.call('HGET', payments .. ':outcome', change[1]) or ''
  if before ~= change[2] or redis.call('HEXISTS', payments, change[1]) == 0 then return {'moved'} end
end
for _, change in ipairs(changes) do
  local key = P .. 'rules:' .. change[4]
  redis.call('HSET', payments .. ':outcome', change[1], change[3])
  if redis.call('EXISTS', key) == 1 then
    for k = 1, #change[5], 2 do redis.call('HINCRBYFLOAT', key, change[5][k], change[5][k + 1]) end
  end
end
return {'done'}
