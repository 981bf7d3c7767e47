-- ── part 3 of 4: queues from outside, and dead letters ─────────────────────────────────────────────────────────────────

local function stage_of(queue, silent)
  local told = {queued = 0, running = 0, oldest = 0, added = 0, workers = {}}
  local stream = redis.pcall('XINFO', 'STREAM', queue)
  if stream.err then return told end -- nothing was ever put there
  local info, delivered, since = by_name(stream), '0-0', now
  for _, list in ipairs(rc('XINFO', 'GROUPS', queue)) do
    local group = by_name(list)
    if group.name == GROUP then delivered = group['last-delivered-id'] end
  end
  local function waits(entry)
    if not entry then return end
    local _, f = opened(entry)
    since = math.min(since, tonumber(f.e))
  end

  waits(rc('XRANGE', queue, '(' .. delivered, '+', 'COUNT', 1)[1])
  local consumers = redis.pcall('XINFO', 'CONSUMERS', queue, GROUP)
  for _, list in ipairs(consumers.err and {} or consumers) do
    local consumer = by_name(list)
    if consumer.name == NOBODY then
      local back = consumer.pending > 0 and rc('XPENDING', queue, GROUP, '-', '+', 1, NOBODY)[1]
      if back then waits(rc('XRANGE', queue, back[1], back[1])[1]) end
    else
      told.running = told.running + consumer.pending
      if consumer.pending > 0 or consumer.idle <= silent then
        told.workers[#told.workers + 1] = {
          name = consumer.name, jobs = consumer.pending, seen = consumer.idle,
          idle = consumer.inactive or consumer.idle, -- Redis 7.0 tells but one of the two
        }
      end
    end
  end
  told.queued = math.max(0, info.length - told.running)
  told.oldest = math.max(0, now - since)
  told.added = info['entries-added']
  return told
end

-- stages: a partition's queues and their workers as they are. Who looks on is no sign that owners reach the server: it is not `heard`.
-- KEYS  lease zset
-- ARGV  silent (ms after which a worker that has no job, and says nothing, is left out)
-- ->    by stage: queued, running, oldest (µs), added, workers (name, jobs, idle and seen: ms; idle -1: it never had a job)
local function stages(call, leases)
  local tag, out = string.match(leases, '^%b{}'), {}
  for _, stage in ipairs({'stt', 'llm', 'tts', 'tools'}) do out[stage] = stage_of(tag .. ':q:' .. stage, call.silent) end
  return out
end

-- An ended job begins again: its mark must not go with those of the ended.
local function recall(s, id, mark, step)
  for slot = 0, ENDED - 1 do
    if get(s, 'e:' .. slot) == id then set(s, 'e:' .. slot, false) end
  end
  if not mark then set(s, 'm:' .. id, step .. ' 0 0 0 ') end -- what was committed of it stays committed
end

-- retry: enqueue a dead letter's job anew, with all its time before it, and forget the letter.
-- KEYS  dead letters
-- ARGV  letter
-- ->    OK | MISSING (no such letter) | EMPTY (it has no job) | CLOSED | STALE
local function retry(call, dead)
  local entry = rc('XRANGE', dead, call.letter, call.letter)[1]
  if not entry then return 'MISSING' end
  local _, f = opened(entry)
  if not f.body then return 'EMPTY' end
  local s = load_session(string.match(dead, '^%b{}') .. ':s:' .. f.session, 'm:' .. f.job, f.fence)
  local outcome = standing(s, f)
  if outcome ~= 'OK' then return outcome end
  recall(s, f.job, get(s, 'm:' .. f.job), f.step)
  local stored = {
    stage = f.stage, id = f.job, lane = f.lane, fence = f.fence, value = f.value, deadline = digits(now + f.within),
    enqueued = digits(now), perishable = f.perishable, answers = f.answers, body = f.body,
  }
  if f.lane ~= '' and holder_of(s, f.lane) then
    rc('RPUSH', s.tag .. ':parked:' .. s.name, packed(stored))
  else
    push(s, stored)
  end
  save(s)
  rc('XDEL', dead, call.letter)
  return 'OK'
end
