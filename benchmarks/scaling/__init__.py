"""Scale: `make bench-scaling`, and what `docs/scaling.md` is written from.

stage.py                     slices that are leased and committed without HTTP
memory.py                    what a document takes in Redis' memory
spent.py wire.py costs.py    what each thing that a fleet does costs Redis' core
committer.py limits.py       processes that commit until a Redis is full; two of them
halves.py cluster.py         scripts cut in two, and a Redis Cluster to run them on
clustered.py carrier.py      what works there, of ours and of arq's
model.py simulation.py       a fleet against one Redis as discrete events
scenarios.py curves.py       the fleets that are simulated, and their plot
real.py                      a small real fleet beside a simulated one
"""
