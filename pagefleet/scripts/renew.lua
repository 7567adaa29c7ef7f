-- renew: the lease lasts from now again.   ARGV 2 fence, 3 lease ms, 4 what is tried again just now ('': nothing)
-- answers 'running', or 'paused', 'cancelled', 'fenced', 'gone'
local state, fence = unpack(redis.call('HMGET', slice, 'state', 'fence'))
if not state then
  return 'gone'
end
if fence ~= ARGV[2] then
  return 'fenced'
end
if state == 'running' then
  redis.call('HSET', slice, 'until', now + ARGV[3], 'wait', ARGV[3])
  if ARGV[4] == '' then
    redis.call('HDEL', slice, 'fault')
  else
    redis.call('HSET', slice, 'fault', ARGV[4])
  end
end
return state
