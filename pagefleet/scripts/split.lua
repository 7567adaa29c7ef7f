-- split: a slice of which nothing is delivered ends, and its children are walked in its place.
-- KEYS 8 slices, 9... rows of the children, and then as many keys of their consumers
-- ARGV 2 fence, 3 commit id, 4 page, 5 index, 6 cursor, 7 total ('': not said), 8... bounds of the children
-- answers {what, the plan: the bounds of all children}; 'other': there is a plan already, and it counts
--
-- The plan is written first and never again: what a torn write left may have children at work by the time that the slice
-- is split again, when the source declares another total; other bounds would have documents twice, or not at all.
local SPACE = 20000 -- a turn: so much later each child's comes, and a short crawl need not wait for all of them
local LEAST_BACKLOG = 1000

local row = redis.call('HMGET', slice, 'state', 'fence', 'page', 'index', 'cursor', 'commit', 'plan', 'backlog')
local state, fence, page, index, cursor, last, plan, limit = unpack(row)
local count = #ARGV - 7

if not state then
  return { 'gone', '' }
end
if last == ARGV[3] then
  return { 'committed', plan } -- the reply was lost, and the same came again
end
if fence ~= ARGV[2] then
  return { 'fenced', '' }
end
if page ~= ARGV[4] or index ~= ARGV[5] or cursor ~= ARGV[6] then
  return { 'conflict', '' }
end
if state ~= 'running' then
  return { state, '' }
end
local said = '[' .. table.concat(ARGV, ',', 8) .. ']'
if plan and plan ~= said then
  return { 'other', plan }
end
for n, kind in ipairs({ redis.call('TYPE', consumers).ok, redis.call('TYPE', KEYS[8]).ok }) do
  if kind ~= 'hash' and kind ~= 'none' then
    return redis.error_reply('ERR ' .. (n == 1 and consumers or KEYS[8]) .. ' is a ' .. kind .. ', not a hash')
  end
end

if not plan then
  redis.call('HSET', slice, 'plan', said, unpack(ARGV[7] ~= '' and { 'total', ARGV[7] } or {}))
end
limit = tonumber(limit)
local share = limit > 0 and math.max(LEAST_BACKLOG, math.floor(limit / count)) or 0
local readers = redis.call('HGETALL', consumers)
local bounds = {}
for n = 1, count do
  local child, name = KEYS[8 + n], tag .. '.' .. (n - 1)
  local there, leases = unpack(redis.call('HMGET', child, 'state', 'leases'))
  for i = 1, #readers, 2 do -- whoever reads the crawl reads the child from its start
    local is_unnamed = string.match(readers[i], '^unnamed%-')
    local note = is_unnamed and string.format('%.0f', now) or string.match(readers[i + 1], ' (.*)$') or ''
    redis.call('HSETNX', KEYS[8 + count + n], readers[i], '0-0 ' .. note)
  end
  if not there then
    redis.call('HSET', child, 'page', 1, 'index', 0, 'cursor', 'null', 'documents', 0, 'bytes', 0, 'pages', 0,
      'backlog', share, 'enqueued', now, 'bounds', ARGV[7 + n])
  end
  if not there or (there == 'queued' and not redis.call('ZSCORE', due, name)) then -- or torn in between
    if leases then
      forget_job(leases, name)
    end
    enqueue_job(child, name, (n - 1) * SPACE)
  end
  table.insert(bounds, string.match(name, ':(.*)$'))
  table.insert(bounds, ARGV[7 + n])
end
redis.call('HSET', KEYS[8], unpack(bounds))
-- Last: what is split has all its children, also after a write that was torn.
redis.call('HSET', slice, 'state', 'finished', 'fence', '', 'worker', '', 'until', 0, 'wait', 0, 'finished', now,
  'commit', ARGV[3], 'split', count, 'rescues', 0)
redis.call('ZREM', due, tag)
return { 'committed', said }
