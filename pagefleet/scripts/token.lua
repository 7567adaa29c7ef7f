-- token: the fleet's right to send to one origin (generic cell rate algorithm).
-- KEYS 1 budget   ARGV 1 ms between two requests ('0': no rate), 2 most tokens at once, 3 ms that tokens are good for
-- answers {tokens, ms}: so many tokens for so long, or none until so many ms have passed; -1 tokens: as many as you like
local budget = KEYS[1]
local interval, most, life = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local clock = redis.call('TIME')
local now = clock[1] * 1000 + clock[2] / 1000
local free, step, blocked, horizon = unpack(redis.call('HMGET', budget, 'free', 'step', 'blocked', 'horizon'))
free, blocked = tonumber(free) or 0, tonumber(blocked) or 0
if now < blocked and blocked <= now + (tonumber(horizon) or 0) then
  return { 0, math.ceil(blocked - now) }
end
if free > now + (tonumber(step) or 0) + 1000 then
  free = now -- Redis' clock went back
end
if free > now then
  return { 0, math.ceil(free - now) }
end
if interval == 0 then
  return { -1, life }
end
step = most * interval -- kept: another crawl may ask at its own rate, and the lower one holds
redis.call('HSET', budget, 'free', tostring(now + step), 'step', tostring(step))
redis.call('PEXPIRE', budget, math.ceil(step + (tonumber(horizon) or 0) + 60000))
return { most, life }
