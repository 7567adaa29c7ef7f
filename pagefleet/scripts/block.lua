-- block: the source wants no requests from anybody for so long.   KEYS 1 budget   ARGV 1 ms
local budget = KEYS[1]
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local moment = now + ARGV[1]
local there = tonumber(redis.call('HGET', budget, 'blocked') or '0')
local horizon = tonumber(redis.call('HGET', budget, 'horizon') or '0')
if there < moment or there > now + horizon then
  redis.call('HSET', budget, 'blocked', moment, 'horizon', ARGV[1])
  redis.call('PEXPIRE', budget, math.max(ARGV[1] + 60000, redis.call('PTTL', budget))) -- a low rate lasts longer
end
return 'blocked'
