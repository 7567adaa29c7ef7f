-- delete: nothing is left of a slice that is over; with slice 0 goes its crawl.
-- KEYS 9 crawl, 10 crawls, 11 slices: all three of slice 0, none of others   ARGV 2 crawl id
-- answers 'deleted', or the state of a slice that is not over
local state, leases = unpack(redis.call('HMGET', slice, 'state', 'leases'))
if state == 'queued' or state == 'running' or state == 'snoozed' or state == 'paused' then
  return state
end
local crawl, crawls, slices = KEYS[9], KEYS[10], KEYS[11]
if crawl then
  redis.call('DEL', crawl) -- first: behind a write that was torn, the name is free
  redis.call('DEL', slices)
  redis.call('ZREM', crawls, ARGV[2])
end
if leases then
  forget_job(leases)
end
redis.call('ZREM', due, tag)
redis.call('DEL', slice, documents, ledger, consumers, quarantine, events)
return 'deleted'
