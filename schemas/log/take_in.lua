-- Keep a session that was held elsewhere and is over (`TakingIn` in schemas/bus.py), page by page. It is there for others with the
-- last page only, which writes its hash; what was begun and never ended goes by itself.
--   KEYS     session hash, its events, the partition's closed sessions, the mark of whose pages these are
--   ARGV[1]  "first", "next" or "last": which page this is ("first" empties what an earlier try left)
--   ARGV[2]  a mark of this try, by which a page that is sent again is known
--   ARGV[3]  ms a closed session is kept
--   ARGV[4]  generation, [5] epoch, [6] owner: the session's, after its last event
--   ARGV[7]  from here on the events, four each: seq, type, at (µs), body
-- Answers 'OK', or 'EXISTS' where there is such a session, or another try at one of this name has begun since.
local hash, log, closed, taking = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local page, mark, keep = ARGV[1], ARGV[2], ARGV[3]
if redis.call('EXISTS', hash) == 1 then
  return redis.call('HGET', hash, 'taken_in') == mark and 'OK' or 'EXISTS'
end
if page == 'first' then
  redis.call('DEL', log)
  redis.call('SET', taking, mark, 'PX', keep)
elseif redis.call('GET', taking) ~= mark then
  return 'EXISTS'
end
local there = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
local last = there and tonumber(string.match(there[1], '^%d+')) or 0
local seq, at
for k = 7, #ARGV, 4 do
  seq, at = ARGV[k], ARGV[k + 2]
  if tonumber(seq) > last then
    redis.call('XADD', log, seq .. '-0', 't', ARGV[k + 1], 'at', at, 'b', ARGV[k + 3])
  end
end
redis.call('PEXPIRE', log, keep)
if page == 'last' then
  local time = redis.call('TIME')
  redis.call('HSET', hash, 'seq', seq, 'at', at, 'gen', ARGV[4], 'epoch', ARGV[5], 'owner', ARGV[6], 'state', 'closed', 'taken_in', mark)
  redis.call('PEXPIRE', hash, keep)
  redis.call('ZADD', closed, string.format('%.0f', tonumber(time[1]) * 1000000 + tonumber(time[2])), string.match(hash, '^%b{}:s:(.*)$'))
  redis.call('PEXPIRE', closed, keep)
  redis.call('DEL', taking)
end
return 'OK'
