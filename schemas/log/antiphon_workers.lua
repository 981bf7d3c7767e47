-- ── part 2 of 4: workers ────────────────────────────────────────────────────────────────────────────────────────────
-- The pending-entries list is the lease table. (consumer, delivery count), both from XPENDING, is the fencing token; XACK and
-- XCLAIM look at neither, so nothing here acknowledges or claims before `owns` said yes.

local function owns(queue, consumer, delivery)
  local entry = delivery.entry
  local pending = redis.pcall('XPENDING', queue, GROUP, entry, entry, 1)
  if pending.err or not pending[1] then return false end -- no stream, no group (both lost): nobody's
  local _, owner, _, count = unpack(pending[1])
  return owner == consumer and count == delivery.attempt
end

-- What keeps a delivery from being gone on with: 'OK' nothing.
local function standing(s, delivery)
  if not s or not s.open then return 'CLOSED' end
  return void(s, delivery.fence, delivery.value) and 'STALE' or 'OK'
end

-- When to look for leases that ran out: those about to are the ones of the dead, as the living renew theirs long before.
local function again(queue, lease, unsettled)
  local soonest = SOON
  for _, pending in ipairs(rc('XPENDING', queue, GROUP, 'IDLE', math.max(0, lease - SOON), '-', '+', 32)) do
    local _, _, idle = unpack(pending)
    soonest = math.min(soonest, math.max(1, lease - idle, unsettled))
  end
  return soonest
end

-- take: jobs for the free slots of one consumer. Void, closed and ownerless ones are acknowledged, and so is a perishable one
-- past its deadline.
-- KEYS  job stream
-- ARGV  consumer, count, lease (ms), reclaim (false: only what was handed back), settle (ms: nor while it is younger)
-- ->    last_id, time, jobs, again (ms after which a lease may have run out, at most SOON)
local function take(call, queue)
  local out = {}
  local settling = unsettled(call.settle)
  local reclaim = call.reclaim and settling == 0
  local tag = string.match(queue, '^%b{}')
  leases_last(call.lease)

  local function hand_out(entry, attempt)
    local id, f = opened(entry)
    local mark = 'm:' .. f.id
    local s = load_session(tag .. ':s:' .. f.s, mark, f.f)
    if not s or not s.open or void(s, f.f, f.v) or (f.x == '1' and now > tonumber(f.d)) then
      finish(s, queue, id, f.id, f.l)
    else
      out[#out + 1] = {
        entry = id, attempt = attempt, session = f.s, body = f.b, answers = tonumber(f.a), deadline = tonumber(f.d),
        enqueued = tonumber(f.e), last_step = tonumber(string.match(get(s, mark) or '', '^%-?%d+') or '-1'),
      }
    end
  end

  local function lapsed(...)
    local pending = redis.pcall('XPENDING', queue, GROUP, 'IDLE', call.lease, '-', '+', call.count - #out, ...)
    if pending.err then
      rc('XGROUP', 'CREATE', queue, GROUP, '0', 'MKSTREAM')
      return {}
    end
    return pending
  end

  for _ = 1, 64 do -- void jobs make room for others; bounded, the caller asks again
    local pending = reclaim and lapsed() or lapsed(NOBODY)
    if #pending == 0 or #out >= call.count then break end
    for _, p in ipairs(pending) do
      local id, _, _, count = unpack(p)
      local entry = rc('XCLAIM', queue, GROUP, call.consumer, 0, id)[1]
      if entry then hand_out(entry, count + 1) end
    end
  end
  for _ = 1, 64 do
    if #out >= call.count then break end
    local new = rc('XREADGROUP', 'GROUP', GROUP, call.consumer, 'COUNT', call.count - #out, 'STREAMS', queue, '>')
    if not new or not new[1] then break end
    for _, entry in ipairs(new[1][2]) do hand_out(entry, 1) end
  end
  local last = rc('XREVRANGE', queue, '+', '-', 'COUNT', 1)[1]
  return {
    last_id = last and last[1] or '0-0', time = now, jobs = out,
    again = call.reclaim and again(queue, call.lease, settling) or SOON,
  }
end

-- renew: keep the leases of one consumer. A void or closed job is acknowledged: its owner is told to stop.
-- KEYS  job stream
-- ARGV  consumer, deliveries
-- ->    OK | LOST | STALE | CLOSED of each
local function renew(call, queue)
  local out = {}
  local tag = string.match(queue, '^%b{}')
  for i, delivery in ipairs(call.deliveries) do
    local outcome = 'LOST'
    if owns(queue, call.consumer, delivery) then
      local s = load_session(tag .. ':s:' .. delivery.session, delivery.fence)
      outcome = standing(s, delivery)
      if outcome == 'OK' then rc('XCLAIM', queue, GROUP, call.consumer, 0, delivery.entry, 'JUSTID') -- not another delivery
      else finish(s, queue, delivery.entry, delivery.id, delivery.lane) end
    end
    out[i] = outcome
  end
  return out
end

-- release: hand a job back, at once takeable, this delivery not counted. A void or closed one is acknowledged.
-- KEYS  job stream
-- ARGV  consumer, delivery
-- ->    OK | LOST | STALE | CLOSED
local function release(call, queue)
  local delivery = call.delivery
  if not owns(queue, call.consumer, delivery) then return 'LOST' end
  local s = load_session(string.match(queue, '^%b{}') .. ':s:' .. delivery.session, delivery.fence)
  local outcome = standing(s, delivery)
  if outcome == 'OK' then
    rc('XCLAIM', queue, GROUP, NOBODY, 0, delivery.entry, 'IDLE', 86400000, 'RETRYCOUNT', delivery.attempt - 1, 'JUSTID')
  else
    finish(s, queue, delivery.entry, delivery.id, delivery.lane)
  end
  return outcome
end

-- retire: delete a consumer that owns nothing (XGROUP DELCONSUMER would delete its pending jobs with it), and those that
-- died long ago and own nothing either.
-- KEYS  job stream
-- ARGV  consumer, dead (ms after which a silent one is)
-- ->    whether it is: false, it owns jobs
local function retire(call, queue)
  local consumers = redis.pcall('XINFO', 'CONSUMERS', queue, GROUP)
  if consumers.err then return true end
  local retired = true
  for _, list in ipairs(consumers) do
    local consumer = by_name(list)
    if consumer.name == call.consumer and consumer.pending > 0 then
      retired = false
    elseif consumer.pending == 0 and (consumer.name == call.consumer or consumer.idle > call.dead) then
      rc('XGROUP', 'DELCONSUMER', queue, GROUP, consumer.name)
    end
  end
  return retired
end

-- File a dead letter: what is said of it (names and values), and of the job's `stored` entry (nil: it is gone) what `retry` needs.
local function bury(s, stored, ...)
  local dead, said = s.tag .. ':dead', {...}
  if stored then
    local _, f = opened(stored)
    for _, part in ipairs({'lane', f.l, 'fence', f.f, 'value', f.v, 'within', digits(f.d - f.e), 'perishable', f.x, 'answers', f.a,
      'body', f.b}) do said[#said + 1] = part end
  end
  rc('XTRIM', dead, 'MINID', digits(math.floor(now / 1000) - DEAD_TTL))
  rc('XADD', dead, 'MAXLEN', '~', DEAD, '*', unpack(said))
  rc('PEXPIRE', dead, DEAD_TTL)
end

-- commit: append events and enqueue jobs, if the job is still its caller's and its fence holds.
-- KEYS  session hash, job stream
-- ARGV  consumer, delivery, step, ending (step | final | dead), seen, stage, reason (dead), events, jobs
-- ->    OK | DUP (mine, the first seq and at) | LOST | REWOUND | CLOSED, STALE, MISSING (acknowledged, nothing appended)
local function commit(call, session, queue)
  local delivery, consumer = call.delivery, call.consumer
  local entry, attempt, id, lane = delivery.entry, delivery.attempt, delivery.id, delivery.lane
  local s = load_session(session, with_jobs(call.jobs, 'm:' .. id, delivery.fence, 'lane:' .. lane, 'ended'))
  local mark = s and get(s, 'm:' .. id)
  if s and not mark then return answer(s, 'LOST') end -- a job this log doesn't know: it was rewound
  if s then
    local step, by_attempt, seq, at, by = string.match(mark, '^(%-?%d+) (%d+) (%d+) (%d+) (.*)$')
    local done = tonumber(step) >= call.step
    if done and by == consumer and tonumber(by_attempt) == attempt then return repeated(s, seq, at) end -- my reply was lost
    if done then return answer(s, 'LOST') end -- FENCE
  end
  if not owns(queue, consumer, delivery) then return s and answer(s, 'LOST') or missing('LOST') end -- FENCE
  if not s then
    finish(nil, queue, entry)
    return missing()
  end
  if rewound(s, call.seen) then return answer(s, 'REWOUND') end
  local outcome = standing(s, delivery)
  if outcome ~= 'OK' then
    finish(s, queue, entry, id, lane)
    return answer(s, outcome)
  end
  append(s, call.events)
  enqueue(s, call.jobs)
  set(s, 'm:' .. id, call.step .. ' ' .. attempt .. ' ' .. digits(s.seq) .. ' ' .. digits(s.at) .. ' ' .. consumer)
  if call.ending == 'step' then
    save(s)
    rc('XCLAIM', queue, GROUP, consumer, 0, entry, 'JUSTID') -- progress renews the lease
  else
    if call.ending == 'dead' and not forked(s) then -- what fails in a replay is told there
      bury(s, rc('XRANGE', queue, entry, entry)[1], 'session', s.name, 'stage', call.stage, 'job', id, 'attempt', attempt,
        'reason', call.reason, 'at', digits(now), 'step', call.step)
    end
    finish(s, queue, entry, id, lane)
  end
  return answer(s, 'OK')
end
