-- ── part 3 of 3: gateways and the API ───────────────────────────────────────────────────────────────────────────────

local function lease(s, ms)
  leases_last(ms)
  rc('ZADD', s.tag .. ':lease', digits(s.now + tonumber(ms) * 1000), s.name)
end

-- open: begin a session.
-- KEYS  session hash
-- ARGV  owner, request, ticket, lease in ms, events, jobs
-- ->    OK, DUP (the first answer) | EXISTS; then epoch
local function open(keys, a)
  local key = keys[1]
  local s = load_session(key)
  if s then
    local seq, at, epoch = answered(key, 'open', a[2])
    if not seq then return answer(s, 'EXISTS', 0) end
    return {'DUP', tonumber(seq), s.now, tonumber(at), tonumber(epoch)}
  end
  local tag, name = string.match(key, '^(%b{}):s:(.*)$')
  rc('DEL', tag .. ':ev:' .. name, tag .. ':snap:' .. name, tag .. ':parked:' .. name) -- of one long past
  rc('HSET', key, 'seq', 0, 'at', 0, 'gen', '0', 'epoch', '1', 'owner', a[1], 'state', 'open', 'ticket', a[3])
  s = load_session(key)
  enqueue(s, a, append(s, a, 5))
  keep(s)
  active(s)
  lease(s, a[4])
  remember(s, 'open', a[2])
  return answer(s, 'OK', 1)
end

-- publish: a gateway's append, fenced by its epoch. `close` is its last.
-- KEYS  session hash
-- ARGV  epoch, operation, seen seq, seen at, raises ('' | generation), close ('' | retention in ms),
--       snapshot ('' | its value), how many limits, (stage, length) of each, events, jobs
-- ->    OK | DUP (the first seq and at) | LOST | CLOSED | REWOUND | STALE (raises no higher than the generation is)
--       | FULL (nothing written, the operation stays free) | MISSING
local function publish(keys, a)
  local s = load_session(keys[1], 'op')
  if not s then return missing() end
  if a[1] ~= s.epoch then return answer(s, 'LOST') end -- the room moved
  if s.x then
    local epoch, operation, seq, at = string.match(s.x, '^(%d+) (%d+) (%d+) (%d+)$')
    if epoch == a[1] and tonumber(operation) >= tonumber(a[2]) then
      s.seq, s.at = tonumber(seq), tonumber(at)
      return answer(s, 'DUP')
    end
  end
  if not s.open then return answer(s, 'CLOSED') end
  if rewound(s, a[3], a[4]) then return answer(s, 'REWOUND') end
  if a[5] ~= '' and tonumber(a[5]) <= tonumber(s.gen) then return answer(s, 'STALE') end
  local i = 9
  for _ = 1, tonumber(a[8]) do
    if rc('XLEN', s.tag .. ':q:' .. a[i]) >= tonumber(a[i + 1]) then return answer(s, 'FULL') end
    i = i + 2
  end
  i = append(s, a, i)
  if a[5] ~= '' then raise(s, a[5]) end
  enqueue(s, a, i)
  keep(s, 'op', a[1] .. ' ' .. a[2] .. ' ' .. digits(s.seq) .. ' ' .. digits(s.at))
  active(s)
  local snap = s.tag .. ':snap:' .. s.name
  if a[7] ~= '' then rc('SET', snap, a[7]) end
  if a[6] ~= '' then
    rc('HSET', s.key, 'state', 'closed')
    rc('DEL', s.tag .. ':parked:' .. s.name)
    rc('ZREM', s.tag .. ':lease', s.name)
    rc('ZREM', s.tag .. ':open', s.name)
    local closed = s.tag .. ':closed'
    rc('ZADD', closed, digits(s.at), s.name)
    rc('ZREMRANGEBYSCORE', closed, '-inf', digits(s.at - tonumber(a[6]) * 1000))
    rc('PEXPIRE', closed, a[6])
    for _, key in ipairs({s.key, s.tag .. ':ev:' .. s.name, snap}) do rc('PEXPIRE', key, a[6]) end
  end
  return answer(s, 'OK')
end

-- hold: renew all sessions of a gateway in one partition, and its inbox.
-- KEYS  lease zset
-- ARGV  owner, lease in ms, then (session, epoch, positions, seen seq, seen at) of each
-- ->    {time, queued stt, llm, tts, {OK | LOST | CLOSED | REWOUND (renewed all the same) | MISSING, seq, time, at}*}
local function hold(keys, a)
  local tag, out = string.match(keys[1], '^%b{}'), {}
  for i = 3, #a, 5 do
    local s, outcome = load_session(tag .. ':s:' .. a[i]), 'OK'
    if not s then
      out[#out + 1] = missing()
    else
      if s.epoch ~= a[i + 1] or s.owner ~= a[1] then outcome = 'LOST' -- the owner too: a rewound log may give an epoch twice
      elseif not s.open then outcome = 'CLOSED'
      elseif rewound(s, a[i + 3], a[i + 4]) then outcome = 'REWOUND' end
      if outcome == 'OK' then rc('HSET', s.key, 'pos', a[i + 2]) end
      if outcome == 'OK' or outcome == 'REWOUND' then lease(s, a[2]) end
      out[#out + 1] = answer(s, outcome)
    end
  end
  rc('PEXPIRE', tag .. ':in:' .. a[1], INBOX_TTL)
  return {micros(), rc('XLEN', tag .. ':q:stt'), rc('XLEN', tag .. ':q:llm'), rc('XLEN', tag .. ':q:tts'), out}
end

-- claim: take a session over, after its lease ran out or at once with its ticket. A ticket that is given must be the right one,
-- whatever the lease and the state. (Both are hashes, so the time the comparison takes tells nothing of the ticket.)
-- KEYS  session hash
-- ARGV  owner, request, ticket, lease in ms, settle in ms (before, a lapsed lease is still its owner's)
-- ->    OK, DUP (the first answer), then epoch and the positions last held | DENIED | HELD | CLOSED | MISSING
local function claim(keys, a)
  local s = load_session(keys[1], 'ticket', 'pos')
  if not s then return missing() end
  local seq, at, epoch = answered(s.key, 'claim', a[2])
  if seq then return {'DUP', tonumber(seq), s.now, tonumber(at), tonumber(epoch), s.y or ''} end
  local ticket = a[3] ~= ''
  if ticket and a[3] ~= s.x then return answer(s, 'DENIED') end
  if not s.open then return answer(s, 'CLOSED') end
  local ends = tonumber(rc('ZSCORE', s.tag .. ':lease', s.name) or '0')
  if not ticket and (ends > s.now or unsettled(a[5]) > 0) then return answer(s, 'HELD') end
  s.epoch = digits(tonumber(s.epoch) + 1)
  rc('HSET', s.key, 'epoch', s.epoch, 'owner', a[1])
  lease(s, a[4])
  remember(s, 'claim', a[2])
  return answer(s, 'OK', tonumber(s.epoch), s.y or '')
end

-- expired: sessions whose gateway's lease ran out.
-- KEYS  lease zset    ARGV  count, settle in ms    ->  {session*}
local function expired(keys, a)
  if unsettled(a[2]) > 0 then return {} end
  return rc('ZRANGEBYSCORE', keys[1], '-inf', digits(micros()), 'LIMIT', 0, a[1])
end

-- post: one event of the API, without an epoch.
-- KEYS  session hash    ARGV  request, events    ->  OK | DUP (the first seq and at) | CLOSED | MISSING
local function post(keys, a)
  local s = load_session(keys[1])
  if not s then return missing() end
  local seq, at = answered(s.key, 'post', a[1])
  if seq then return {'DUP', tonumber(seq), s.now, tonumber(at)} end
  if not s.open then return answer(s, 'CLOSED') end
  append(s, a, 2)
  keep(s)
  active(s)
  remember(s, 'post', a[1])
  return answer(s, 'OK')
end

-- allow-oom: what only renews or frees goes on when memory is full, so that nothing in flight is lost over it.
local function register(name, callback, ...)
  local function call(keys, args)
    heard()
    return callback(keys, args)
  end
  redis.register_function({function_name = NAME .. '_' .. name, callback = call, flags = {...}})
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
