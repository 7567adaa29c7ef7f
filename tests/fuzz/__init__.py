"""The fuzzers' room: atheris makes up what servers and crawl files say, guided by the lines that it reaches.

    draw.py                      what a target makes of the fuzzer's bytes
    bodies.py compressed.py      decoders and their formats, JSONPath; what is compressed
    headers.py                   the Link header, and how long to wait
    server.py walks.py           a server, and walks over it from every checkpoint
    crawlfiles.py                crawl files
    seeds.py engine.py           where it begins: the literals of tests/unit; atheris itself

Each target is a function with properties; none of them is only that nothing crashes. `make fuzz` runs all in turn, each
from what it found the last time (`.fuzz/`). It needs an environment of its own, and so is not part of the suite: what
it finds becomes an example there.
"""
