-- acknowledge: a consumer is done with all documents up to an id.   ARGV 2 consumer, 3 id, 4 note
-- The note is the consumer's own (a byte offset, say). A slice that snoozes for want of room is woken.
-- answers 'acknowledged', or 'gone' when there is no such slice
local state, reason, limit = unpack(redis.call('HMGET', slice, 'state', 'reason', 'backlog'))
if not state then
  return 'gone'
end
if not string.match(ARGV[3], '^%d+%-%d+$') then
  return redis.error_reply('ERR ' .. ARGV[3] .. ' is no id of a document')
end
redis.call('HSET', consumers, ARGV[2], ARGV[3] .. ' ' .. ARGV[4])
if state == 'snoozed' and reason == 'backlog' and trim() <= tonumber(limit) / 2 then
  redis.call('ZADD', due, now, tag)
end
return 'acknowledged'
