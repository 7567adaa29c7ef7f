-- token: the fleet's right to send to one origin (generic cell rate algorithm).
-- KEYS 1 budget   ARGV 1 ms between two requests ('0': no rate), 2 most tokens at once, 3 ms that tokens are good for,
--      4 ms since the last answer that the asker knows of ('': none)
-- answers {tokens, ms, ms}: so many tokens for so long, or none until so many ms have passed; -1 tokens: as many as you
-- like; the source has been down for so long (0: it is not)
local PROBE = 10000 -- one request, to see whether a source is up again, has so long
local budget = KEYS[1]
local interval, most, life = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local clock = redis.call('TIME')
local now = clock[1] * 1000 + clock[2] / 1000
local row = redis.call('HMGET', budget, 'free', 'step', 'blocked', 'horizon', 'since', 'down', 'wait')
local free, step, blocked, horizon, since, down, wait = unpack(row)
free, blocked = tonumber(free) or 0, tonumber(blocked) or 0
since, down, wait = tonumber(since), tonumber(down), tonumber(wait)
if since and (since > now or (ARGV[4] ~= '' and now - ARGV[4] >= since)) then -- the clock went back, or it has answered
  redis.call('HDEL', budget, 'retries', 'since', 'seen', 'slice', 'down', 'wait', 'probe')
  wait = nil
end
local silence = wait and math.max(1, math.floor(now - since)) or 0
if wait and now < down and down <= now + math.max(wait, PROBE) then
  return { 0, math.ceil(down - now), silence }
end
if now < blocked and blocked <= now + (tonumber(horizon) or 0) then
  return { 0, math.ceil(blocked - now), silence }
end
if free > now + (tonumber(step) or 0) + 1000 then
  free = now -- Redis' clock went back
end
if free > now then
  return { 0, math.ceil(free - now), silence }
end
if wait then
  most = 1
  redis.call('HSET', budget, 'down', now + PROBE, 'probe', 1)
end
if interval == 0 then
  return { wait and 1 or -1, life, silence }
end
step = most * interval -- kept: another crawl may ask at its own rate, and the lower one holds
redis.call('HSET', budget, 'free', tostring(now + step), 'step', tostring(step))
local memory = math.ceil(step + (tonumber(horizon) or 0) + 60000)
redis.call('PEXPIRE', budget, wait and math.max(memory, redis.call('PTTL', budget)) or memory)
return { most, life, silence }
