-- retry: may a request be sent again that met a source which looks as if it were down?
-- KEYS 1 budget   ARGV 1 ms since the last answer that the asker knows of ('': none), 2 tag of its slice,
--      3 '1': its attempts are used up, may its crawl fail?
-- answers {ms, ms}: none, it may; or for so long nobody asks, and it is down for so long
-- A slice that is alone in trouble may do as its crawl says: perhaps it is the crawl that is wrong.
local MOST = 20 -- since the last answer, the whole fleet together
local LEAST, LONGEST = 5000, 300000
local MEMORY = 120000 -- behind a wait, or the last retry: someone has to come and ask
local budget = KEYS[1]
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local row = redis.call('HMGET', budget, 'retries', 'since', 'seen', 'slice', 'down', 'wait', 'probe')
local retries, since, seen, slice, down, wait, probe = unpack(row)
retries, since, seen = tonumber(retries) or 0, tonumber(since) or now, tonumber(seen) or now
down, wait = tonumber(down) or 0, tonumber(wait)

local is_heard = ARGV[1] ~= '' and now - ARGV[1] >= since
if is_heard or since > now or now > math.max(seen, down) + MEMORY then -- or Redis' clock went back, or it is long ago
  redis.call('HDEL', budget, 'retries', 'since', 'seen', 'slice', 'down', 'wait', 'probe')
  retries, since, slice, wait = 0, now, nil, nil
end
if wait and now < down and down <= now + wait and not probe then
  return { math.ceil(down - now), now - since } -- another asked before
end
slice = (not slice or slice == ARGV[2]) and ARGV[2] or '*' -- '*': several
if slice ~= '*' and ARGV[3] == '1' then
  redis.call('HDEL', budget, 'retries', 'since', 'seen', 'slice')
  return { 0, 0 }
end
redis.call('HSET', budget, 'retries', retries + 1, 'since', since, 'seen', now, 'slice', slice)
local is_down = wait or (slice == '*' and retries >= MOST)
if is_down then
  wait = wait and math.min(LONGEST, 2 * wait) or LEAST
  redis.call('HSET', budget, 'wait', wait, 'down', now + wait)
  redis.call('HDEL', budget, 'probe')
end
redis.call('PEXPIRE', budget, math.max((wait or 0) + MEMORY, redis.call('PTTL', budget)))
return { is_down and wait or ARGV[3] == '1' and LEAST or 0, now - since }
