"""Everything of Antiphon on one machine: its processes, kept alive, and the servers that come with it.

stack       what is started, from one plan, in which order     supervisor  starts, watches, restarts, stops it
here        the stack that runs here, found by other commands  readiness   whether a process can work yet, and what keeps it
doors       could its gateways open, before anything starts    processes   forked ones, which can be killed often
occupied    one at a time in a data folder                     disk        whether a folder can still be written to
private     files that are nobody else's                       system      free ports; nobody outlives who started them
api         the HTTP API as one of its processes, and where people open it
embedded/   Valkey, an LLM server, LiveKit
"""
