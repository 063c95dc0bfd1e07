-- The part of a commit that counts the rules: days of counts, days of overlaps, payments kept until their label.
-- part: see RedisRules.rule_part.
local function write_rules(part)
  local index, payments = P .. 'rules', P .. 'hit_payments'
  for _, day in ipairs(part.days) do
    local key = P .. 'rules:' .. day[1]
    for k = 1, #day[2], 2 do redis.call('HINCRBYFLOAT', key, day[2][k], day[2][k + 1]) end
    local shared = key .. ':overlap'
    for k = 1, #day[3], 2 do
      local pair = day[3][k]
      if redis.call('HEXISTS', shared, pair) == 0 and redis.call('HLEN', shared) >= part.most_pairs then
        pair = 'other'
      end
      redis.call('HINCRBYFLOAT', shared, pair, day[3][k + 1])
    end
    redis.call('ZADD', index, day[1], day[1])
  end
  if #part.days > 0 then
    for _, old in ipairs(redis.call('ZRANGE', index, 0, -part.keep_days - 1)) do
      redis.call('DEL', P .. 'rules:' .. old, P .. 'rules:' .. old .. ':overlap')
      redis.call('ZREM', index, old)
    end
  end
  for _, payment in ipairs(part.payments) do
    redis.call('HSET', payments, payment[1], payment[2])
    redis.call('RPUSH', payments .. ':order', payment[1])
  end
  for _ = 1, redis.call('LLEN', payments .. ':order') - part.keep_payments do
    local id = redis.call('LPOP', payments .. ':order')
    redis.call('HDEL', payments, id)
    redis.call('HDEL', payments .. ':outcome', id)
  end
end

