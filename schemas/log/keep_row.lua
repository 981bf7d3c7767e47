-- Keep what a list says of a session that is over beside its log, with which it goes (`RowKeeping` in schemas/bus.py).
--   KEYS     session hash
--   ARGV[1]  seq of its last event, as far as the row tells
--   ARGV[2]  the row
-- Answers 1; 0 where there is no such session, it goes on, or it ends with another event: then nothing is kept.
local state = redis.call('HMGET', KEYS[1], 'state', 'seq')
if state[1] ~= 'closed' or state[2] ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'row', ARGV[2])
return 1
