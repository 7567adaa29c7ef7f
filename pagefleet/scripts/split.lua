-- split: a slice of which nothing is delivered ends, and its children are walked in its place.
-- KEYS 9 slices, 10... the six keys of each child
-- ARGV 2 fence, 3 commit id, 4 page, 5 index, 6 cursor, 7 total ('': not said), 8 worker, 9... bounds of the children
-- answers {what, the plan: the bounds of all children}; 'other': there is a plan already, and it counts
--
-- The plan is written first and never again: what a torn write left may have children at work by the time that the
-- slice is split again, when the source declares another total; other bounds would have documents twice, or not at all.
-- A child of another incarnation is left of a crawl that was deleted without it, and begins afresh.
local SPACE = 20000 -- a turn: so much later each child's comes, and a short crawl need not wait for all of them
local LEAST_BACKLOG = 1000

local row = redis.call('HMGET', slice, 'state', 'fence', 'page', 'index', 'cursor', 'commit', 'plan', 'backlog',
  'incarnation')
local state, fence, page, index, cursor, last, plan, limit, incarnation = unpack(row)
local count = #ARGV - 8

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
local said = '[' .. table.concat(ARGV, ',', 9) .. ']'
if plan and plan ~= said then
  return { 'other', plan }
end
for _, hash in ipairs({ consumers, events, KEYS[9] }) do
  redis.call('HLEN', hash) -- or it is no hash, and this fails
end

if not plan then
  redis.call('HSET', slice, 'plan', said, unpack(ARGV[7] ~= '' and { 'total', ARGV[7] } or {}))
end
limit = tonumber(limit)
local share = limit > 0 and math.max(LEAST_BACKLOG, math.floor(limit / count)) or 0
local readers = redis.call('HGETALL', consumers)
local bounds, parent = {}, { slice, events, tag }
for n = 1, count do
  local child, its_documents, its_ledger, its_consumers, its_quarantine, its_events = unpack(KEYS, 4 + 6 * n, 9 + 6 * n)
  local name = parent[3] .. '.' .. (n - 1)
  local there, leases, of = unpack(redis.call('HMGET', child, 'state', 'leases', 'incarnation'))
  if there and of and of ~= incarnation then
    redis.call('DEL', child, its_documents, its_ledger, its_consumers, its_quarantine, its_events)
    there = false
  end
  for i = 1, #readers, 2 do -- whoever reads the crawl reads the child from its start
    local is_unnamed = string.match(readers[i], '^unnamed%-')
    local note = is_unnamed and string.format('%.0f', now) or string.match(readers[i + 1], ' (.*)$') or ''
    redis.call('HSETNX', its_consumers, readers[i], '0-0 ' .. note)
  end
  slice, events, tag = child, its_events, name -- what is called here is called for the child
  if not there then
    redis.call('HSET', child, 'page', 1, 'index', 0, 'cursor', 'null', 'documents', 0, 'bytes', 0, 'pages', 0,
      'backlog', share, 'enqueued', now, 'bounds', ARGV[8 + n], 'behind', (n - 1) * SPACE,
      unpack(incarnation and { 'incarnation', incarnation } or {}))
    enqueue_job(ARGV[8], 'enqueue', 'part of ' .. parent[3], (n - 1) * SPACE)
  elseif there == 'queued' and not redis.call('ZSCORE', due, name) then -- torn in between
    forget_job(leases)
    enqueue_job(ARGV[8], 'rescue a lost job', 'job ' .. leases, (n - 1) * SPACE)
  end
  slice, events, tag = unpack(parent)
  table.insert(bounds, string.match(name, ':(.*)$'))
  table.insert(bounds, ARGV[8 + n])
end
redis.call('HSET', KEYS[9], unpack(bounds))
-- Last: what is split has all its children, also after a write that was torn.
move('finished', ARGV[8], 'split', count .. ' parts', 'fence', '', 'worker', '', 'until', 0, 'wait', 0, 'finished', now,
  'commit', ARGV[3], 'split', count, 'rescues', 0)
redis.call('ZREM', due, tag)
return { 'committed', said }
