-- delete: nothing is left of a slice, whatever it is at; slice 0 goes first, and its crawl with it.
-- KEYS 9 crawl, 10 crawls, 11 slices   ARGV 2 crawl id, 3 slice number, 4 incarnation
-- answers 'deleted', or 'other': it is of another crawl of that name by now
local leases, of = unpack(redis.call('HMGET', slice, 'leases', 'incarnation'))
if of and of ~= ARGV[4] then
  return 'other'
end
local crawl, crawls, slices = KEYS[9], KEYS[10], KEYS[11]
local its = redis.call('HGET', crawl, 'incarnation')
if its and its ~= ARGV[4] then
  return 'other'
end
-- First the crawl: behind a write that was torn, or a command that broke off, there is none, and its name is free.
redis.call('DEL', crawl)
redis.call('ZREM', crawls, ARGV[2])
if leases then
  forget_job(leases)
end
redis.call('ZREM', due, tag)
redis.call('DEL', slice, documents, ledger, consumers, quarantine, events)
redis.call('HDEL', slices, ARGV[3])
return 'deleted'
