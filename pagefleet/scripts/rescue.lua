-- rescue: look at a slice whose time in `due` has come, and put it back into arq's queue if nobody advances it.
-- answers 'rescued' (it was abandoned), 'failed' (once too often), 'enqueued' (its snooze is over), or why it is left
-- alone: 'waiting' in the queue, 'leased', 'snoozed', 'over'

-- Rescues in a row, without a commit in between. One machine that dies or one rollout costs a slice two or three; ten,
-- with more and more time between them, four minutes in all, are the doing of the page, and each costs a worker.
local MOST_RESCUES = 10
local LONGEST_REST = 60000

local row = redis.call('HMGET', slice, 'state', 'until', 'wait', 'leases', 'reason', 'backlog', 'rescues', 'page',
  'cursor', 'worker')
local state, moment, wait, leases, reason, limit, rescues, page, cursor, worker = unpack(row)

if state == 'queued' then
  -- A job that waits its turn is not lost, however long the queue: a naive rescuer livelocks here.
  local job = tag .. ':' .. leases
  if redis.call('EXISTS', 'arq:in-progress:' .. job) == 1 then
    -- A worker has just taken the job, and its lease is on the way; or the worker died in between, as will be seen.
    local is_seen = redis.call('HGET', slice, 'taken') == leases
    if not is_seen then
      redis.call('HSET', slice, 'taken', leases)
      redis.call('ZADD', due, now + TAKEN_GRACE, tag)
    end
    if not is_seen or is_ahead(redis.call('ZSCORE', due, tag), TAKEN_GRACE) then
      return 'waiting'
    end
  end
  local start = redis.call('ZSCORE', queue, job)
  if start and redis.call('EXISTS', 'arq:job:' .. job) == 1
    and redis.call('EXISTS', 'arq:in-progress:' .. job) == 0 then
    -- A child's first turn comes `behind` the others' (see split).
    local latest = now - SKEW + (leases == '1' and tonumber(redis.call('HGET', slice, 'behind')) or 0)
    if tonumber(start) > latest then
      redis.call('ZADD', queue, latest, job) -- Redis' clock went back: the job would stand behind all later ones
    end
    redis.call('ZADD', due, now + GRACE, tag)
    return 'waiting'
  end
elseif state == 'running' then
  if is_ahead(moment, wait) then
    redis.call('ZADD', due, moment, tag)
    return 'leased'
  end
elseif state == 'snoozed' then
  if is_ahead(moment, wait) and tonumber(redis.call('ZSCORE', due, tag) or 0) > now then
    return 'snoozed'
  end
  if reason == 'backlog' and trim() >= tonumber(limit) then
    redis.call('HSET', slice, 'until', now + wait)
    redis.call('ZADD', due, now + wait, tag)
    return 'snoozed'
  end
  enqueue_job('scheduler', 'rescue when due', reason)
  return 'enqueued'
else
  redis.call('ZREM', due, tag)
  return 'over'
end
local what = state == 'queued' and 'rescue a lost job' or 'rescue when the lease ran out'
local why = state == 'queued' and 'job ' .. leases or worker
forget_job(leases)
rescues = (tonumber(rescues) or 0) + 1
if rescues > MOST_RESCUES then
  local place = 'page ' .. page .. ' (cursor ' .. string.sub(cursor, 1, 200) .. ')'
  local fault = 'rescued ' .. MOST_RESCUES .. ' times in a row without a commit: whoever works on ' .. place ..
    " dies or stalls; see the workers' logs, mend that, and resume"
  move('failed', 'scheduler', 'rescue once too often', why, 'fence', '', 'worker', '', 'until', 0, 'wait', 0,
    'finished', now, 'error', fault)
  redis.call('ZREM', due, tag)
  return 'failed'
end
redis.call('HINCRBY', slice, 'rescued', 1)
redis.call('HSET', slice, 'rescues', rescues)
local rest = rescues > 1 and math.min(LONGEST_REST, 1000 * 2 ^ (rescues - 2)) or 0
if rest == 0 then
  enqueue_job('scheduler', what, why)
else
  move('snoozed', 'scheduler', 'rescue again', why, 'fence', '', 'worker', '', 'until', now + rest, 'wait', rest,
    'reason', 'rescued ' .. rescues .. ' times in a row at page ' .. page)
  redis.call('ZADD', due, now + rest, tag)
end
return 'rescued'
