"""Everything of Antiphon on one machine: its processes, kept alive, and the servers that come with it.

stack       what is started, from one plan, in which order     supervisor  starts, watches, restarts, stops it
here        the stack that runs here, found by other commands  readiness   whether a process can work yet
first_look  what a start would fail of, before anything starts condition   what a process says keeps it from working
doors       could its gateways open                            processes   forked ones, which can be killed often
ports       asked for, usual, taken by whom                    background  a command that goes on by itself
output      what children say, by a pipe, into                 log_files   bounded files; log_lines reads them
occupied    one at a time in a data folder                     disk        whether a folder can still be written to
private     files that are nobody else's                       system      free ports; nobody outlives who started them
api         the HTTP API as one of its processes, and where people open it
agents      those of this machine, in a table
embedded/   Valkey, an LLM server, LiveKit
"""
