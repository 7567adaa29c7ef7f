-- lease: the sole right to advance the slice, until it is released or runs out.
-- ARGV 2 lease number, 3 fence, 4 lease ms, 5 worker
-- answers {'leased', page, index, cursor, documents, total ('': not said), digest of the page before ('': none)} or
-- {why not}; asked again with its own fence: the same
local state, fence, leases = unpack(redis.call('HMGET', slice, 'state', 'fence', 'leases'))
if not state then
  return { 'gone' }
end
if fence ~= ARGV[3] then
  if leases ~= ARGV[2] or state ~= 'queued' then
    return { 'stale' }
  end
  redis.call('HSET', slice, 'state', 'running', 'fence', ARGV[3], 'worker', ARGV[5],
    'until', now + ARGV[4], 'wait', ARGV[4], 'reason', '', 'fault', '')
  redis.call('ZADD', due, now + ARGV[4], tag)
  forget_job(leases) -- arq has handed it over; from here on the lease says who has the slice
end
local row = redis.call('HMGET', slice, 'page', 'index', 'cursor', 'documents', 'total', 'digest')
local before = row[2] == '0' and row[6] or '' -- in the middle of a page, the digest is that page's own
return { 'leased', row[1], row[2], row[3], row[4], row[5] or '', before }
