-- Put hashes on recorded audit entries. ARGV: number and hash of the last link as the caller knows it, then number
-- and hash of each new link. Answer: 'done', or 'moved' when somebody else was faster.
local links = P .. 'audit:links'
local last = redis.call('XREVRANGE', links, '+', '-', 'COUNT', 1)[1]
local place = last and string.match(last[1], '^%d+') or '0'
if place ~= ARGV[1] or (last and last[2][2] ~= ARGV[2]) then return 'moved' end
for k = 3, #ARGV, 2 do redis.call('XADD', links, ARGV[k] .. '-0', 'h', ARGV[k + 1]) end
return 'done'
