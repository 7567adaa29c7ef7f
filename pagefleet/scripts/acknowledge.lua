-- acknowledge: a consumer is done with all documents up to an id.   ARGV 2 consumer, 3 id, 4 note
-- The note is the consumer's own (a byte offset, say). A slice that snoozes for want of room is woken.
redis.call('HSET', consumers, ARGV[2], ARGV[3] .. ' ' .. ARGV[4])
local state, reason, limit = unpack(redis.call('HMGET', slice, 'state', 'reason', 'backlog'))
if state == 'snoozed' and reason == 'backlog' and trim() <= tonumber(limit) / 2 then
  redis.call('ZADD', due, now, tag)
end
return 'acknowledged'
