-- acknowledge: a consumer is done with all documents up to an id.
-- ARGV 2 consumer, 3 id, 4 note, 5 '1': make room first, for Redis has no memory left to write this down,
--      6 incarnation ('': whichever)
-- The note is the consumer's own (a byte offset, say). A slice that snoozes for want of room is woken. A consumer only
-- goes forwards: an acknowledgement that was held up on its way changes nothing.
-- answers 'acknowledged', or 'gone' when there is no such slice, or another one by now
local state, reason, limit, of = unpack(redis.call('HMGET', slice, 'state', 'reason', 'backlog', 'incarnation'))
if not state or (of and ARGV[6] ~= '' and of ~= ARGV[6]) then
  return 'gone'
end
local page, index = parse_id(ARGV[3])
if not string.match(ARGV[3], '^%d+%-%d+$') then
  return redis.error_reply('ERR ' .. ARGV[3] .. ' is no id of a document')
end
local p, i = parse_id(redis.call('HGET', consumers, ARGV[2]) or '0-0')
if page < p or (page == p and index < i) then
  return 'acknowledged'
end
if ARGV[5] == '1' then
  trim() -- frees memory, and what follows a write of a script may itself write
end
local note = string.match(ARGV[2], '^unnamed%-') and string.format('%.0f', now) or ARGV[4]
redis.call('HSET', consumers, ARGV[2], ARGV[3] .. ' ' .. note)
if ARGV[5] == '1' then
  trim()
end
if state == 'snoozed' and reason == 'backlog' and trim() <= tonumber(limit) / 2 then
  redis.call('ZADD', due, now, tag)
end
return 'acknowledged'
