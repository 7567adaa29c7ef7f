-- release: the lease ends before its time, and the slice is 'queued' again, 'snoozed' or 'failed'.
-- ARGV 2 fence, 3 state after, 4 wait ms (snoozed), 5 why (snoozed: 'backlog' or words; failed: the error)
-- answers 'released' or 'fenced'; asked again, 'fenced' and nothing changes
local state, fence, worker = unpack(redis.call('HMGET', slice, 'state', 'fence', 'worker'))
if not state or fence ~= ARGV[2] then
  return 'fenced'
end
redis.call('HSET', slice, 'fence', '', 'worker', '', 'until', 0, 'wait', 0)
if state ~= 'running' then
  return 'released' -- paused or cancelled while it ran
end
if ARGV[3] == 'queued' then
  enqueue_job(worker, 'release', ARGV[5])
elseif ARGV[3] == 'snoozed' then
  move('snoozed', worker, 'release to snooze', ARGV[5], 'until', now + ARGV[4], 'wait', ARGV[4], 'reason', ARGV[5])
  redis.call('ZADD', due, now + ARGV[4], tag)
else
  move('failed', worker, 'release as failed', ARGV[5], 'error', ARGV[5], 'finished', now)
  redis.call('ZREM', due, tag)
end
return 'released'
