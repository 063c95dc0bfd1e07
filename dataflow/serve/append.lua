-- Events of HTTP requests onto the input stream, each once: an id that came before with the same content is not
-- appended again, one with other content is refused.
--
-- KEYS[1]: prefix. ARGV[1]: seconds an id is remembered; then for each event its id, content token and line.
-- Answer: {outcomes, last decision, last dead letter, last repeated entry}: where to follow what becomes of them,
-- taken before anything can have become of what was appended.
local P = KEYS[1]

local function newest(stream)
  local last = redis.call('XREVRANGE', P .. stream, '+', '-', 'COUNT', 1)[1]
  return last and last[1] or '0-0'
end

local from = {newest('decisions'), newest('dead'), newest('repeated')}
local outcomes = {}
for k = 2, #ARGV, 3 do
  local key = P .. 'served:' .. ARGV[k]
  local known = redis.call('GET', key)
  if not known then
    redis.call('SET', key, ARGV[k + 1], 'EX', ARGV[1])
    redis.call('XADD', P .. 'in', '*', 'e', ARGV[k + 2])
    outcomes[#outcomes + 1] = 'new'
  elseif known == ARGV[k + 1] then
    outcomes[#outcomes + 1] = 'same'
  else
    outcomes[#outcomes + 1] = 'conflict'
  end
end
return {outcomes, from[1], from[2], from[3]}
