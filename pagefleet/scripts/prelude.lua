-- Stands before every script of a slice: its keys, Redis' own time, and what several scripts do.
-- A script is atomic but is not rolled back: each one checks everything before it writes anything.

local slice, documents, ledger, consumers, quarantine, events, due, queue = unpack(KEYS)
local tag = ARGV[1]
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local JOB_LIFE = 30 * 24 * 3600 * 1000 -- arq drops a job that waited longer; its own default is a day
local SKEW = 24 * 3600 * 1000 -- arq's workers ask their own clocks whether a job may start; they may be so far behind
local GRACE = 6000 -- before the scheduler asks whether a queued slice's job is still there
local TAKEN_GRACE = 2000 -- between the job's being taken by a worker and its lease

-- Is a time that was set to be `wait` ms away still ahead? Also no when Redis' clock went back.
local function is_ahead(moment, wait)
  moment, wait = tonumber(moment) or 0, tonumber(wait) or 0
  return now < moment and moment <= now + 2 * wait
end

local EVENTS = 200 -- so many are kept, in a ring

-- The slice comes into a state, and an event tells who did what, and why. The event is written first, and counts only
-- when the row has its number, which comes with the state in one command: what a torn write left of the two is no
-- event, and the next one takes its place. In a stream it would stand in the way of the next one.
local function move(after, who, what, why, ...)
  local before, number = unpack(redis.call('HMGET', slice, 'state', 'events'))
  number = (tonumber(number) or 0) + 1
  local event = { number = number, at = now, who = who, what = what, to = after }
  event.from, event.why = before or nil, string.sub(why or '', 1, 500)
  redis.call('HSET', events, number % EVENTS, cjson.encode(event))
  redis.call('HSET', slice, 'state', after, 'events', number, ...)
end

-- Wipe out what arq knows of the slice's last job.
local function forget_job(lease)
  local job = tag .. ':' .. lease
  redis.call('ZREM', queue, job)
  redis.call('DEL', 'arq:job:' .. job, 'arq:in-progress:' .. job, 'arq:retry:' .. job)
end

-- The slice is queued: a new lease number, and arq's job for it (arq's own enqueue is these two commands). Its turn
-- comes as if it had been enqueued `behind` ms later.
local function enqueue_job(who, what, why, behind)
  local lease = (tonumber(redis.call('HGET', slice, 'leases')) or 0) + 1 -- set, not added to: see commit
  local job = tag .. ':' .. lease
  move('queued', who, what, why, 'leases', lease, 'fence', '', 'worker', '', 'until', 0, 'wait', 0)
  local body = string.format('{"t":null,"f":"advance","a":[%s,%d],"k":{},"et":%.0f}', cjson.encode(tag), lease, now)
  redis.call('PSETEX', 'arq:job:' .. job, JOB_LIFE, body)
  redis.call('ZADD', queue, now - SKEW + (behind or 0), job)
  redis.call('ZADD', due, now + GRACE, tag)
end

local function parse_id(id)
  local page, index = string.match(id, '^(%d+)-(%d+)')
  return tonumber(page), tonumber(index)
end

local NAMELESS_LIFE = 600000 -- a reader without a name that has not read for so long will not come back

-- Drop the documents that every consumer is done with; without a consumer, none.
local function trim()
  local page, index
  local positions = redis.call('HGETALL', consumers)
  for n = 1, #positions, 2 do
    local p, i = parse_id(positions[n + 1])
    local read = string.match(positions[n], '^unnamed%-') and tonumber(string.match(positions[n + 1], ' (%d+)$'))
    local is_gone = read and read + NAMELESS_LIFE < now
    if not is_gone and (not page or p < page or (p == page and i < index)) then
      page, index = p, i
    end
  end
  if page then
    local id = page .. '-' .. index
    redis.call('XTRIM', documents, 'MINID', id)
    redis.call('XDEL', documents, id)
    local p, i = parse_id(redis.call('HGET', slice, 'trimmed') or '0-0')
    if p < page or (p == page and i < index) then -- a consumer that starts late does not bring anything back
      redis.call('HSET', slice, 'trimmed', id) -- so that a reader from further back is told
    end
  end
  return redis.call('XLEN', documents)
end
