-- ── part 4 of 4: gateways and the API ───────────────────────────────────────────────────────────────────────────────

local function lease(s, ms)
  leases_last(ms)
  if forked(s) then return end
  rc('ZADD', s.tag .. ':lease', digits(now + ms * 1000), s.name)
end

-- open: begin a session.
-- KEYS  session hash
-- ARGV  owner, request, ticket, lease (ms), events, jobs
-- ->    OK, DUP (the first answer) | EXISTS; with epoch
local function open(call, key)
  local s = load_session(key, request_of('open', call.request))
  if s then
    local seq, at, epoch = answered(s, 'open', call.request)
    local known = seq and repeated(s, seq, at) or answer(s, 'EXISTS')
    known.epoch = tonumber(epoch or 0)
    return known
  end
  local tag, name = string.match(key, '^(%b{}):s:(.*)$')
  rc('DEL', tag .. ':ev:' .. name, tag .. ':snap:' .. name, tag .. ':parked:' .. name) -- of one long past
  rc('HSET', key, 'seq', 0, 'at', 0, 'gen', '0', 'epoch', '1', 'owner', call.owner, 'state', 'open', 'ticket', call.ticket)
  s = load_session(key)
  append(s, call.events)
  enqueue(s, call.jobs)
  active(s)
  lease(s, call.lease)
  remember(s, 'open', call.request)
  save(s)
  local opened = answer(s, 'OK')
  opened.epoch = s.epoch
  return opened
end

-- publish: a gateway's append, fenced by its epoch; with a retention it is its last, and closes the session.
-- KEYS  session hash
-- ARGV  epoch, operation, seen, raises (nil | generation), retention (nil | ms), snapshot (nil | its value),
--       limits (stage -> length), events, jobs
-- ->    OK | DUP (the first seq and at) | LOST | CLOSED | REWOUND | STALE (raises no higher than the generation is)
--       | FULL (nothing written, the operation stays free) | MISSING
local function publish(call, key)
  local s = load_session(key, with_jobs(call.jobs, 'op', call.raises and 'lane:llm' or nil))
  if not s then return missing() end
  local last = get(s, 'op')
  if call.epoch ~= s.epoch then return answer(s, 'LOST') end -- the room moved
  if last then
    local epoch, operation, seq, at = string.match(last, '^(%d+) (%d+) (%d+) (%d+)$')
    if tonumber(epoch) == call.epoch and tonumber(operation) >= call.operation then return repeated(s, seq, at) end
  end
  if not s.open then return answer(s, 'CLOSED') end
  if rewound(s, call.seen) then return answer(s, 'REWOUND') end
  if call.raises and call.raises <= tonumber(s.gen) then return answer(s, 'STALE') end
  for stage, length in pairs(call.limits) do
    if rc('XLEN', s.tag .. ':q:' .. stage) >= length then return answer(s, 'FULL') end
  end
  append(s, call.events)
  if call.raises then raise(s, digits(call.raises)) end
  enqueue(s, call.jobs)
  set(s, 'op', s.epoch .. ' ' .. digits(call.operation) .. ' ' .. digits(s.seq) .. ' ' .. digits(s.at))
  if call.retention then set(s, 'state', 'closed') end
  save(s)
  active(s)
  local snap, retention = s.tag .. ':snap:' .. s.name, call.retention
  if call.snapshot then rc('SET', snap, call.snapshot) end
  if retention then
    rc('DEL', s.tag .. ':parked:' .. s.name)
    rc('ZREM', s.tag .. ':lease', s.name)
    rc('ZREM', s.tag .. ':open', s.name)
    local closed = s.tag .. ':closed'
    if not forked(s) then rc('ZADD', closed, digits(s.at), s.name) end
    rc('ZREMRANGEBYSCORE', closed, '-inf', digits(s.at - retention * 1000))
    rc('PEXPIRE', closed, retention)
    for _, name in ipairs({s.key, s.tag .. ':ev:' .. s.name, snap}) do rc('PEXPIRE', name, retention) end
  end
  return answer(s, 'OK')
end

-- hold: renew all sessions of a gateway in one partition, and its inbox.
-- KEYS  lease zset
-- ARGV  owner, lease (ms), sessions
-- ->    time, queued (stage -> length), receipts: OK | LOST | CLOSED | REWOUND (renewed all the same) | MISSING of each
local function hold(call, leases)
  local tag, receipts, until_then = string.match(leases, '^%b{}'), {}, {}
  leases_last(call.lease)
  for i, held in ipairs(call.sessions) do
    local s, outcome = load_session(tag .. ':s:' .. held.session, 'pos'), 'OK'
    if not s then
      receipts[i] = missing()
    else
      -- the owner too: a rewound log may give an epoch twice
      if s.epoch ~= held.epoch or s.owner ~= call.owner then outcome = 'LOST'
      elseif not s.open then outcome = 'CLOSED'
      elseif rewound(s, held.seen) then outcome = 'REWOUND' end
      if outcome == 'OK' and get(s, 'pos') ~= held.positions then rc('HSET', s.key, 'pos', held.positions) end
      if (outcome == 'OK' or outcome == 'REWOUND') and not forked(s) then
        until_then[#until_then + 1] = digits(now + call.lease * 1000)
        until_then[#until_then + 1] = s.name
      end
      receipts[i] = answer(s, outcome)
    end
  end
  for first = 1, #until_then, AT_ONCE do
    rc('ZADD', leases, unpack(until_then, first, math.min(first + AT_ONCE - 1, #until_then)))
  end
  rc('PEXPIRE', tag .. ':in:' .. call.owner, INBOX_TTL)
  local queued = {}
  for _, stage in ipairs({'stt', 'llm', 'tts'}) do queued[stage] = rc('XLEN', tag .. ':q:' .. stage) end
  return {time = now, queued = queued, receipts = receipts}
end

-- claim: take a session over, after its lease ran out or at once with its ticket. A ticket that is given must be the right one,
-- whatever the lease and the state. (Both are hashes, so the time the comparison takes tells nothing of the ticket.)
-- KEYS  session hash
-- ARGV  owner, request, ticket, lease (ms), settle (ms: before, a lapsed lease is still its owner's)
-- ->    OK, DUP (the first answer), with epoch and the positions last held | DENIED | HELD | CLOSED | MISSING
local function claim(call, key)
  local s = load_session(key, 'ticket', 'pos', request_of('claim', call.request))
  if not s then return missing() end
  local function theirs(claimed, epoch)
    claimed.epoch, claimed.positions = epoch, get(s, 'pos') or ''
    return claimed
  end
  local seq, at, epoch = answered(s, 'claim', call.request)
  if seq then return theirs(repeated(s, seq, at), tonumber(epoch)) end
  local by_ticket = call.ticket ~= ''
  if by_ticket and call.ticket ~= get(s, 'ticket') then return answer(s, 'DENIED') end
  if not s.open then return answer(s, 'CLOSED') end
  local ends = tonumber(rc('ZSCORE', s.tag .. ':lease', s.name) or '0')
  if not by_ticket and (ends > now or unsettled(call.settle) > 0) then return answer(s, 'HELD') end
  s.epoch = s.epoch + 1
  set(s, 'epoch', digits(s.epoch))
  set(s, 'owner', call.owner)
  lease(s, call.lease)
  remember(s, 'claim', call.request)
  save(s)
  return theirs(answer(s, 'OK'), s.epoch)
end

-- expired: sessions whose gateway's lease ran out.
-- KEYS  lease zset
-- ARGV  count, settle (ms)
-- ->    their names
local function expired(call, leases)
  if unsettled(call.settle) > 0 then return {} end
  return rc('ZRANGEBYSCORE', leases, '-inf', digits(now), 'LIMIT', 0, call.count)
end

-- post: one event of the API, without an epoch.
-- KEYS  session hash
-- ARGV  request, events
-- ->    OK | DUP (the first seq and at) | CLOSED | MISSING
local function post(call, key)
  local s = load_session(key, request_of('post', call.request))
  if not s then return missing() end
  local seq, at = answered(s, 'post', call.request)
  if seq then return repeated(s, seq, at) end
  if not s.open then return answer(s, 'CLOSED') end
  append(s, call.events)
  active(s)
  remember(s, 'post', call.request)
  save(s)
  return answer(s, 'OK')
end

-- forget: a closed session's log goes, once it is kept elsewhere: the one that ends with this event, and no other.
-- KEYS  session hash
-- ARGV  seq
-- ->    OK | MISSING | HELD (it is open) | REWOUND (its last event is another)
local function forget(call, key)
  local s = load_session(key)
  if not s then return missing() end
  if s.open then return answer(s, 'HELD') end
  if s.seq ~= call.seq then return answer(s, 'REWOUND') end
  rc('ZREM', s.tag .. ':closed', s.name)
  rc('DEL', s.key, s.tag .. ':ev:' .. s.name, s.tag .. ':snap:' .. s.name, s.tag .. ':parked:' .. s.name)
  return answer(s, 'OK')
end

-- One argument and one answer, in msgpack.
-- allow-oom: what only renews or frees goes on when memory is full, so that nothing in flight is lost over it.
local function register(name, callback, ...)
  local function named(keys, args)
    look_at_the_clock()
    if callback ~= stages then heard() end
    return cmsgpack.pack(callback(cmsgpack.unpack(args[1]), unpack(keys)))
  end
  redis.register_function({function_name = NAME .. '_' .. name, callback = named, flags = {...}})
end

register('take', take)
register('renew', renew, 'allow-oom')
register('release', release, 'allow-oom')
register('retire', retire, 'allow-oom')
register('commit', commit)
register('open', open)
register('publish', publish)
register('hold', hold, 'allow-oom')
register('claim', claim)
register('expired', expired, 'no-writes')
register('post', post)
register('forget', forget, 'allow-oom')
register('stages', stages, 'no-writes')
register('retry', retry)
