-- lease: the sole right to advance the slice, until it is released or runs out.
-- ARGV 2 lease number, 3 fence, 4 lease ms, 5 worker
-- answers {'leased', page, index, cursor, documents, total ('': not said), digest ('': none)} or
-- {why not}; sent again: the same
--
-- The digest is that of the page before, or, in the middle of a page, of that page's documents up to there.
--
-- The fence is another each time that this is sent, `<name>` and then `<name>.<times sent before>`. If it were the
-- same, a first request that got stuck on its way could make the fence current again after Redis has gone back and
-- another worker has delivered the pages before: then a page would be taken that follows others (tests/model finds
-- this).
local state, fence, leases = unpack(redis.call('HMGET', slice, 'state', 'fence', 'leases'))
if not state then
  return { 'gone' }
end
local function parse_fence(text)
  local name, times = string.match(text, '^(.-)%.(%d+)$')
  return name or text, tonumber(times) or 0
end

local held, before = parse_fence(fence)
local shown, times = parse_fence(ARGV[3])
if held == shown then
  if before > times then
    return { 'stale' } -- it got stuck on its way, and has been sent again meanwhile
  end
  redis.call('HSET', slice, 'fence', ARGV[3])
else
  if leases ~= ARGV[2] or state ~= 'queued' then
    return { 'stale' }
  end
  move('running', ARGV[5], 'lease', 'job ' .. leases, 'fence', ARGV[3], 'worker', ARGV[5],
    'until', now + ARGV[4], 'wait', ARGV[4], 'reason', '', 'fault', '')
  redis.call('ZADD', due, now + ARGV[4], tag)
  forget_job(leases) -- arq has handed it over; from here on the lease says who has the slice
end
local row = redis.call('HMGET', slice, 'page', 'index', 'cursor', 'documents', 'total', 'digest')
return { 'leased', row[1], row[2], row[3], row[4], row[5] or '', row[6] or '' }
