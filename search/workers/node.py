"""The process that is a worker on a cluster's node; its order comes from its parent."""

import pickle
import sys

from search.workers.worker import work

if __name__ == "__main__":
    order, number = pickle.load(sys.stdin.buffer)
    work(order, number)
