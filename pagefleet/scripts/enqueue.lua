-- enqueue: a crawl and its first slice come into being, and arq gets the first job.
-- KEYS 9 crawl, 10 crawls   ARGV 2 crawl id, 3 description, 4 fingerprint, 5 backlog limit ('0': none)
-- answers 'new', 'same' (this very crawl is there already) or 'other' (another one has its name)
local crawl, crawls = KEYS[9], KEYS[10]
local there = redis.call('HGET', crawl, 'fingerprint')
if there then
  return there == ARGV[4] and 'same' or 'other'
end
redis.call('HDEL', slice, 'state', 'events') -- of one that broke off
redis.call('HSET', slice, 'page', 1, 'index', 0, 'cursor', 'null', 'documents', 0, 'bytes', 0, 'pages', 0,
  'backlog', ARGV[5], 'enqueued', now)
enqueue_job('person', 'enqueue', '')
redis.call('ZADD', crawls, now, ARGV[2])
-- Last: what this says is there must be there, also after a write that was torn.
redis.call('HSET', crawl, 'description', ARGV[3], 'fingerprint', ARGV[4], 'slices', 1, 'enqueued', now)
return 'new'
