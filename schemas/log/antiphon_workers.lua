-- ── part 2 of 3: workers ────────────────────────────────────────────────────────────────────────────────────────────
-- The pending-entries list is the lease table. (consumer, delivery count), both from XPENDING, is the fencing token; XACK and
-- XCLAIM look at neither, so nothing here acknowledges or claims before `owns` said yes.

local function owns(queue, entry, consumer, attempt)
  local p = redis.pcall('XPENDING', queue, GROUP, entry, entry, 1) -- no stream, no group (both lost): nobody's
  p = not p.err and p[1]
  return p and p[2] == consumer and p[4] == tonumber(attempt)
end

-- When to look for leases that ran out: those about to are the ones of the dead, as the living renew theirs long before.
local function again(queue, lease, unsettled)
  local soonest = SOON
  for _, p in ipairs(rc('XPENDING', queue, GROUP, 'IDLE', math.max(0, lease - SOON), '-', '+', 32)) do
    soonest = math.min(soonest, math.max(1, lease - p[3], unsettled))
  end
  return soonest
end

-- take: jobs for the free slots of one consumer.
-- KEYS  job stream
-- ARGV  consumer, count, lease in ms, reclaim (1 | 0: only what was handed back), settle in ms: nor while it is younger
-- ->    {last id, time, {entry, attempt, session, body, answers, deadline, enqueued, last step}*,
--       ms after which a lease may have run out, at most SOON}
-- Void, closed and ownerless jobs are acknowledged, and so is a perishable one past its deadline.
local function take(keys, a)
  local queue, consumer, lease = keys[1], a[1], a[3]
  local want, out, now = tonumber(a[2]), {}, micros()
  local reclaim = a[4] == '1' and unsettled(a[5]) == 0
  local tag = string.match(queue, '^%b{}')
  leases_last(lease)

  local function hand_out(entry, attempt, list)
    local f = {}
    for k = 1, #list, 2 do f[list[k]] = list[k + 1] end
    local s = load_session(tag .. ':s:' .. f.s, 'm:' .. f.id)
    if not s or not s.open or void(s, f.f, f.v) or (f.x == '1' and now > tonumber(f.d)) then
      finish(s, queue, entry, f.id, f.l)
    else
      local step = string.match(s.x or '', '^%-?%d+') or '-1'
      out[#out + 1] = {entry, attempt, f.s, f.b, tonumber(f.a), tonumber(f.d), tonumber(f.e), tonumber(step)}
    end
  end

  local function lapsed(...)
    local p = redis.pcall('XPENDING', queue, GROUP, 'IDLE', lease, '-', '+', want - #out, ...)
    if p.err then
      rc('XGROUP', 'CREATE', queue, GROUP, '0', 'MKSTREAM')
      return {}
    end
    return p
  end

  for _ = 1, 64 do -- void jobs make room for others; bounded, the caller asks again
    local pending = reclaim and lapsed() or lapsed(NOBODY)
    if #pending == 0 or #out >= want then break end
    for _, p in ipairs(pending) do
      local got = rc('XCLAIM', queue, GROUP, consumer, 0, p[1])[1]
      if got then hand_out(p[1], p[4] + 1, got[2]) end
    end
  end
  for _ = 1, 64 do
    if #out >= want then break end
    local new = rc('XREADGROUP', 'GROUP', GROUP, consumer, 'COUNT', want - #out, 'STREAMS', queue, '>')
    if not new or not new[1] then break end
    for _, e in ipairs(new[1][2]) do hand_out(e[1], 1, e[2]) end
  end
  local last = rc('XREVRANGE', queue, '+', '-', 'COUNT', 1)[1]
  return {last and last[1] or '0-0', now, out, a[4] == '1' and again(queue, tonumber(lease), unsettled(a[5])) or SOON}
end

-- renew: keep the leases of one consumer. A void or closed job is acknowledged: its owner is told to stop.
-- KEYS  job stream
-- ARGV  consumer, then (entry, attempt, session, job id, lane, fence, value) of each
-- ->    {OK | LOST | STALE | CLOSED, ...}
local function renew(keys, a)
  local queue, out = keys[1], {}
  local tag = string.match(queue, '^%b{}')
  for i = 2, #a, 7 do
    local outcome = 'OK'
    if not owns(queue, a[i], a[1], a[i + 1]) then
      outcome = 'LOST'
    else
      local s = load_session(tag .. ':s:' .. a[i + 2])
      if not s or not s.open then outcome = 'CLOSED'
      elseif void(s, a[i + 5], a[i + 6]) then outcome = 'STALE' end
      if outcome == 'OK' then rc('XCLAIM', queue, GROUP, a[1], 0, a[i], 'JUSTID') -- JUSTID: not another delivery
      else finish(s, queue, a[i], a[i + 3], a[i + 4]) end
    end
    out[#out + 1] = outcome
  end
  return out
end

-- release: hand a job back, at once takeable, this delivery not counted. A void or closed one is acknowledged.
-- KEYS  job stream
-- ARGV  consumer, entry, attempt, session, job id, lane, fence, value
-- ->    OK | LOST | STALE | CLOSED
local function release(keys, a)
  local queue = keys[1]
  if not owns(queue, a[2], a[1], a[3]) then return 'LOST' end
  local s = load_session(string.match(queue, '^%b{}') .. ':s:' .. a[4])
  local outcome = 'OK'
  if not s or not s.open then outcome = 'CLOSED' elseif void(s, a[7], a[8]) then outcome = 'STALE' end
  if outcome == 'OK' then
    rc('XCLAIM', queue, GROUP, NOBODY, 0, a[2], 'IDLE', 86400000, 'RETRYCOUNT', tonumber(a[3]) - 1, 'JUSTID')
  else
    finish(s, queue, a[2], a[5], a[6])
  end
  return outcome
end

-- retire: delete a consumer that owns nothing (XGROUP DELCONSUMER would delete its pending jobs with it), and those that
-- died long ago and own nothing either.
-- KEYS  job stream
-- ARGV  consumer, ms after which a silent one is dead
-- ->    1 retired | 0 it owns jobs
local function retire(keys, a)
  local consumers = redis.pcall('XINFO', 'CONSUMERS', keys[1], GROUP)
  if consumers.err then return 1 end
  local retired = 1
  for _, c in ipairs(consumers) do
    local f = {}
    for k = 1, #c, 2 do f[c[k]] = c[k + 1] end
    if f.name == a[1] and f.pending > 0 then
      retired = 0
    elseif f.pending == 0 and (f.name == a[1] or f.idle > tonumber(a[2])) then
      rc('XGROUP', 'DELCONSUMER', keys[1], GROUP, f.name)
    end
  end
  return retired
end

-- commit: append events and enqueue jobs, if the job is still its caller's and its fence holds.
-- KEYS  session hash, job stream
-- ARGV  consumer, entry, attempt, job id, step, ending (step | final | dead), lane, fence, value, seen seq, seen at,
--       stage, reason (dead), events (see append), jobs (see enqueue)
-- ->    OK | DUP (mine, the first seq and at) | LOST | REWOUND | CLOSED, STALE, MISSING (acknowledged, nothing appended)
local function commit(keys, a)
  local queue, entry, id, lane = keys[2], a[2], a[4], a[7]
  local s = load_session(keys[1], 'm:' .. id)
  if s and not s.x then return answer(s, 'LOST') end -- a job this log doesn't know: it was rewound
  if s then
    local step, attempt, seq, at, consumer = string.match(s.x, '^(%-?%d+) (%d+) (%d+) (%d+) (.*)$')
    local done, mine = tonumber(step) >= tonumber(a[5]), consumer == a[1] and attempt == a[3]
    if done and mine then -- my reply was lost and I ask again
      s.seq, s.at = tonumber(seq), tonumber(at)
      return answer(s, 'DUP')
    end
    if done then return answer(s, 'LOST') end -- FENCE
  end
  if not owns(queue, entry, a[1], a[3]) then return s and answer(s, 'LOST') or {'LOST', 0, micros(), 0} end -- FENCE
  if not s then
    finish(nil, queue, entry)
    return missing()
  end
  if rewound(s, a[10], a[11]) then return answer(s, 'REWOUND') end
  if not s.open or void(s, a[8], a[9]) then
    finish(s, queue, entry, id, lane)
    return answer(s, s.open and 'STALE' or 'CLOSED')
  end
  enqueue(s, a, append(s, a, 14))
  keep(s, 'm:' .. id, a[5] .. ' ' .. a[3] .. ' ' .. digits(s.seq) .. ' ' .. digits(s.at) .. ' ' .. a[1])
  if a[6] == 'step' then
    rc('XCLAIM', queue, GROUP, a[1], 0, entry, 'JUSTID') -- progress renews the lease
  else
    if a[6] == 'dead' then
      rc('XADD', s.tag .. ':dead', 'MAXLEN', '~', DEAD, '*', 'session', s.name, 'stage', a[12], 'job', id,
        'attempt', a[3], 'reason', a[13], 'at', digits(s.now))
    end
    finish(s, queue, entry, id, lane)
  end
  return answer(s, 'OK')
end
