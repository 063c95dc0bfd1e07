-- Append one audit entry. ARGV: a key under which it is written only once ('' = always), the nine strings of the
-- entry, then nothing, or an encoded Control event that goes into the control lane in the same step.
-- Answer: {number of the audit entry, id of the control lane's entry or ''}.
local once = P .. 'audit:once'
if ARGV[1] ~= '' then
  local known = redis.call('HGET', once, ARGV[1])
  if known then return cjson.decode(known) end
end
local place = record_from(2)
local entry = ARGV[11] and redis.call('XADD', P .. 'control', '*', 'e', ARGV[11]) or ''
if ARGV[1] ~= '' then redis.call('HSET', once, ARGV[1], cjson.encode({place, entry})) end
return {place, entry}
