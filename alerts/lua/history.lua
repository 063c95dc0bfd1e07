-- The newest decisions of one entity: from the newest ordinal in the index back along what each says came before.
-- ARGV: the index's name of the entity, its place in `before` (1, 2, ...), newest and oldest generation, most decisions.
-- Answer: their bytes, newest first.
local found, ordinal = {}, nil
for g = tonumber(ARGV[3]), tonumber(ARGV[4]), -1 do
  ordinal = redis.call('HGET', P .. 'index:' .. g, ARGV[1])
  if ordinal then break end
end
local place, most = tonumber(ARGV[2]), tonumber(ARGV[5])
while ordinal and ordinal ~= '' and #found < most do
  local id = ordinal .. '-0'
  local entry = redis.call('XRANGE', P .. 'decisions', id, id)[1]
  if not entry then break end
  ordinal = nil
  for k = 1, #entry[2], 2 do
    if entry[2][k] == 'd' then
      found[#found + 1] = entry[2][k + 1]
    elseif entry[2][k] == 'p' then
      local number = 0
      for part in string.gmatch(entry[2][k + 1] .. ',', '([^,]*),') do
        number = number + 1
        if number == place then ordinal = part end
      end
    end
  end
end
return found
