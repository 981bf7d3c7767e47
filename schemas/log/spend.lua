-- Spend from an allowance that several processes share (schemas/access/allowance.py says the same in Python).
--   KEYS[1]  whose
--   ARGV[1]  one msgpack map: interval (between two in the long run, µs), at_once (how many), cost
-- Answers 0: spent; else nothing was, and it is worth asking again after so many µs. What is kept is one number: when all will
-- have come back. It is gone by then.
local asked = cmsgpack.unpack(ARGV[1])
local time = redis.call("TIME")
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local after = math.max(tonumber(redis.call("GET", KEYS[1]) or "0"), now) + math.floor(asked.interval * asked.cost + 0.5)
local wait = after - math.floor(asked.interval * asked.at_once + 0.5) - now
if wait > 0 then
  return wait
end
redis.call("SET", KEYS[1], string.format("%.0f", after), "PX", math.ceil((after - now) / 1000))
return 0
