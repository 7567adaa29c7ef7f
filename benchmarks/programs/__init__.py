"""What is measured: each takes the URL of a first page and that of Redis, and ends with a line of JSON.

floor.py     as little as can be done
naive.py     as it is usually written, and with a pipeline a page
library.py   `documents(source)`, without Redis
product.py   a worker and a scheduler of a fleet
latency.py   the same, and how soon a crawl begins
fetch.py     pages fetched by one transport or another
"""
