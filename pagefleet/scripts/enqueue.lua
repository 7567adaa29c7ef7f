-- enqueue: a crawl and its first slice come into being, and arq gets the first job.
-- KEYS 9 crawl, 10 crawls, 11 slices
-- ARGV 2 crawl id, 3 description, 4 fingerprint, 5 backlog limit ('0': none), 6 incarnation
-- answers 'new', 'same' (this very crawl is there already) or 'other' (another one has its name)
--
-- The incarnation is random: by it a slice is known to be of this crawl, and not of one that had its name before.
local crawl, crawls, slices = KEYS[9], KEYS[10], KEYS[11]
local there = redis.call('HGET', crawl, 'fingerprint')
if there then
  return there == ARGV[4] and 'same' or 'other'
end
-- What may be left of one that broke off, or that was deleted in part.
redis.call('DEL', slices)
redis.call('DEL', slice, documents, ledger, consumers, quarantine, events)
redis.call('HSET', slice, 'page', 1, 'index', 0, 'cursor', 'null', 'documents', 0, 'bytes', 0, 'pages', 0,
  'backlog', ARGV[5], 'enqueued', now, 'incarnation', ARGV[6])
enqueue_job('person', 'enqueue', '')
redis.call('ZADD', crawls, now, ARGV[2])
-- Last: what this says is there must be there, also after a write that was torn.
redis.call('HSET', crawl, 'description', ARGV[3], 'fingerprint', ARGV[4], 'enqueued', now, 'incarnation',
  ARGV[6])
return 'new'
