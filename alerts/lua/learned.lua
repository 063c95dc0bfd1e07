-- The learner took in the labels of these transactions (ARGV): mark the alerts whose verdict they carry.
for _, transaction in ipairs(ARGV) do
  local id = redis.call('GETDEL', P .. 'labelled:' .. transaction)
  if id and redis.call('HGET', alert_key(id), 'status') == 'resolved' then
    redis.call('HSET', alert_key(id), 'learned', '1')
  end
end
return {'done'}
