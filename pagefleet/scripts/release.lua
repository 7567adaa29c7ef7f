-- release: the lease ends before its time, and the slice is 'queued' again, 'snoozed' or 'failed'.
-- ARGV 2 fence, 3 state after, 4 wait ms (snoozed), 5 reason (snoozed: 'backlog' or words) or error (failed)
-- answers 'released' or 'fenced'; asked again, 'fenced' and nothing changes
local state, fence = unpack(redis.call('HMGET', slice, 'state', 'fence'))
if not state or fence ~= ARGV[2] then
  return 'fenced'
end
redis.call('HSET', slice, 'fence', '', 'worker', '', 'until', 0, 'wait', 0)
if state ~= 'running' then
  return 'released' -- paused or cancelled while it ran
end
if ARGV[3] == 'queued' then
  enqueue_job()
elseif ARGV[3] == 'snoozed' then
  redis.call('HSET', slice, 'state', 'snoozed', 'until', now + ARGV[4], 'wait', ARGV[4], 'reason', ARGV[5])
  redis.call('ZADD', due, now + ARGV[4], tag)
else
  redis.call('HSET', slice, 'state', 'failed', 'error', ARGV[5], 'finished', now)
  redis.call('ZREM', due, tag)
end
return 'released'
