-- commit: the documents of a page, or of a part of one, and the checkpoint behind them, together.
-- ARGV 2 fence, 3 commit id, 4 page, 5 index, 6 cursor, 7 next page, 8 next index, 9 next cursor, 10 lease ms,
--      11 ending ('', 'last' or 'yield'), 12 total ('': not said), 13 digest of the page up to there, 14 bytes,
--      15 status, 16 ms, 17 worker, 18 doubts, words with blanks between them, 19 notice ('': none), 20 cursor of a
--      document that could not be had ('': none), 21 why, 22 fields a document (1: itself, 2: itself and its key),
--      23... documents
-- answers {what, state after, documents delivered, documents in the stream}
local row = redis.call('HMGET', slice, 'state', 'fence', 'page', 'index', 'cursor', 'commit', 'documents', 'backlog',
  'pages', 'bytes')
local state, fence, page, index, cursor, last, delivered, limit, pages, bytes = unpack(row)
local length = redis.call('XLEN', documents)

local function answer(what)
  return { what, state, tonumber(delivered) or 0, length }
end

if not state then
  state = 'gone'
  return answer('gone')
end
if last == ARGV[3] then
  return answer('committed') -- the reply was lost, and the same commit came again
end
if fence ~= ARGV[2] then
  return answer('fenced')
end
if page ~= ARGV[4] or index ~= ARGV[5] or cursor ~= ARGV[6] then
  return answer('conflict')
end
if state ~= 'running' then
  return answer(state)
end
limit = tonumber(limit)
if limit > 0 and length >= limit and #ARGV > 22 then
  length = trim()
  if length >= limit then
    return answer('full')
  end
end
for _, stream in ipairs({ documents, ledger, quarantine }) do
  local kind = redis.call('TYPE', stream).ok
  if kind ~= 'stream' and kind ~= 'none' then
    return redis.error_reply('ERR ' .. stream .. ' is a ' .. kind .. ', not a stream')
  end
end
if ARGV[11] ~= '' then
  redis.call('HLEN', events) -- or it is no hash, and this fails
end

-- Pages that go round in a circle: Brent's way keeps one of them, the latest whose number is a power of two, and finds
-- a circle of any length before it has gone round three times, whoever fetched the pages.
local place = ARGV[9] .. ' ' .. ARGV[13]
if ARGV[8] == '0' and #ARGV > 22 and place == redis.call('HGET', slice, 'landmark') then
  return answer('circle')
end

-- Entries at or behind this position can only be leftovers of a torn write: the checkpoint moves with the documents.
local function is_clear(stream, from_page, from_index)
  if redis.call('XLEN', stream) > 0 then
    return #redis.call('XRANGE', stream, from_page .. '-' .. from_index, '+', 'COUNT', 1) == 0
  end
  local info = redis.pcall('XINFO', 'STREAM', stream) -- emptied by trimming, and it still knows its last id
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then
      local page, index = parse_id(info[i + 1])
      return page < from_page or (page == from_page and index < from_index)
    end
  end
  return true
end

-- What stands before them is copied to a new stream: since Redis 7.2 a stream does not forget the highest id that was
-- deleted from it, and XSETID is refused for ever.
local function clear(stream, from_page, from_index)
  if is_clear(stream, from_page, from_index) then
    return
  end
  local copy, start = stream .. ':copy', '-'
  redis.call('DEL', copy)
  repeat
    local entries = redis.call('XRANGE', stream, start, '(' .. from_page .. '-' .. from_index, 'COUNT', 100)
    for _, entry in ipairs(entries) do
      redis.call('XADD', copy, entry[1], unpack(entry[2]))
      start = '(' .. entry[1]
    end
  until #entries < 100
  if start == '-' then
    redis.call('DEL', stream)
  else
    redis.call('RENAME', copy, stream)
  end
end

local at_page, at_index, fields = tonumber(page), tonumber(index), tonumber(ARGV[22])
clear(documents, at_page, at_index)
local count, digits = 0, { [0] = '0', '1', '2', '3', '4', '5', '6', '7', '8', '9' }
local call, argv, tens, unit = redis.call, ARGV, math.floor(at_index / 10), at_index % 10
local before = page .. '-' .. (tens > 0 and tens or '')
for i = 23, #argv, fields do -- most of a commit: names are local, and a number is made a string for ten documents
  if fields == 2 then
    call('XADD', documents, before .. digits[unit], 'd', argv[i], 'k', argv[i + 1])
  else
    call('XADD', documents, before .. digits[unit], 'd', argv[i])
  end
  count, unit = count + 1, unit + 1
  if unit == 10 then
    tens, unit = tens + 1, 0
    before = page .. '-' .. tens
  end
end
if ARGV[8] == '0' then
  clear(ledger, at_page, 0)
  redis.call('XADD', ledger, 'MAXLEN', '~', 10000, at_page .. '-0', 'cursor', cursor, 'next', ARGV[9],
    'documents', at_index + count, 'bytes', ARGV[14], 'status', ARGV[15], 'ms', ARGV[16], 'digest', ARGV[13],
    'worker', ARGV[17])
  pages, bytes = pages + 1, bytes + ARGV[14]
end
if ARGV[8] == '0' and #ARGV > 22 and math.frexp(at_page) == 0.5 then
  redis.call('HSET', slice, 'landmark', place)
end
if ARGV[20] ~= '' then
  clear(quarantine, at_page, 0)
  redis.call('XADD', quarantine, at_page .. '-0', 'cursor', ARGV[20], 'reason', ARGV[21])
end
if ARGV[12] ~= '' then
  redis.call('HSET', slice, 'total', ARGV[12])
end
if ARGV[18] ~= '' then
  local doubts = redis.call('HGET', slice, 'doubts') or ''
  for word in string.gmatch(ARGV[18], '%S+') do
    if not string.find(doubts, ' ' .. word .. ' ', 1, true) then
      doubts = (doubts == '' and ' ' or doubts) .. word .. ' '
    end
  end
  redis.call('HSET', slice, 'doubts', doubts)
end
if ARGV[19] ~= '' then
  redis.call('HSET', slice, 'notice', ARGV[19])
end
-- Counts are set, never added to: what a torn write left of a transaction can be executed again before the whole one.
delivered = tonumber(delivered) + count
length = redis.call('XLEN', documents)
redis.call('HSET', slice, 'page', ARGV[7], 'index', ARGV[8], 'cursor', ARGV[9], 'commit', ARGV[3], 'digest', ARGV[13],
  'documents', delivered, 'pages', pages, 'bytes', bytes, 'until', now + ARGV[10], 'wait', ARGV[10], 'committed', now,
  'rescues', 0)
if ARGV[11] == 'last' then
  state = 'finished'
  move(state, ARGV[17], 'commit the last page', 'page ' .. page, 'fence', '', 'worker', '', 'until', 0, 'finished', now)
  redis.call('ZREM', due, tag)
elseif ARGV[11] == 'yield' and redis.call('ZCOUNT', queue, '-inf', now) > 0 then
  state = 'queued'
  enqueue_job(ARGV[17], 'commit and yield', 'its turn was over, and others waited')
end
return answer('committed')
