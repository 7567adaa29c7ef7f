-- steer: a person's word.   ARGV 2 'pause', 'resume' or 'cancel'
-- answers the state after; a word that does not fit the state changes nothing
local state, leases = unpack(redis.call('HMGET', slice, 'state', 'leases'))
if not state then
  return 'gone'
end
local is_open = state == 'queued' or state == 'running' or state == 'snoozed'
local verb = ARGV[2]
if verb == 'resume' and (state == 'paused' or state == 'failed') then
  redis.call('HSET', slice, 'error', '', 'reason', '', 'rescues', 0)
  redis.call('HDEL', slice, 'finished')
  enqueue_job()
  return 'queued'
end
local after
if verb == 'pause' and is_open then
  after = 'paused'
elseif verb == 'cancel' and (is_open or state == 'paused' or state == 'failed') then
  after = 'cancelled'
  redis.call('HSET', slice, 'finished', now, 'error', '')
end
if not after then
  return state
end
redis.call('HSET', slice, 'state', after) -- the fence stays: whoever holds it hears of this at its next commit
redis.call('ZREM', due, tag)
if state == 'queued' then
  forget_job(leases)
end
return after
