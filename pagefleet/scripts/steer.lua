-- steer: a person's word.   ARGV 2 'pause', 'resume', 'cancel' or 'replay' (what is in the quarantine)
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
  enqueue_job('person', verb, '')
  return 'queued'
end
if verb == 'replay' and state == 'finished' then
  local cursors, ids = {}, {}
  for _, entry in ipairs(redis.call('XRANGE', quarantine, '-', '+', 'COUNT', 1000)) do
    table.insert(ids, entry[1])
    table.insert(cursors, entry[2][2])
  end
  if #ids > 0 then
    redis.call('HSET', slice, 'cursor', '{"$replay":[' .. table.concat(cursors, ',') .. ']}', 'doubts',
      (string.gsub(redis.call('HGET', slice, 'doubts') or '', ' quarantined ', ' ')))
    redis.call('HDEL', slice, 'finished')
    enqueue_job('person', verb, '')
    redis.call('XDEL', quarantine, unpack(ids)) -- last: they are in the cursor now, and come back if they fail again
    return 'queued'
  end
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
move(after, 'person', verb, '') -- the fence stays: whoever holds it hears of this at its next commit
redis.call('ZREM', due, tag)
if state == 'queued' then
  forget_job(leases)
end
return after
