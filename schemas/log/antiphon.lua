#!lua name=antiphon_2
-- The log's function library, part 1 of 3: what all functions share. The parts are joined and loaded as one.
--
-- The library's name carries its version, and so does each function's: processes of two versions live side by side.
-- A function checks everything before its first write. It is atomic, not transactional: an error leaves what was written.
-- Commands are those of Redis 7.0. All keys of a call lie in one slot: KEYS names where it goes, the rest is made from the
-- tag `{pNN}` it begins with (an undeclared key of the same slot works in cluster mode).
--
-- Every session function answers {outcome, seq, time, at, ...}: seq and at of the session's last event, time is TIME, µs.

local NAME = 'antiphon_2'
local GROUP = 'workers'      -- the one consumer group of each job stream
local NOBODY = '-'           -- the consumer that owns what was handed back
local ENDED = 64             -- marks of ended jobs kept per session
local REQUESTS = 32          -- request ids kept per session
local INBOX = 20000          -- entries an inbox keeps, about
local INBOX_TTL = 60000      -- ms after the gateway's last hold
local DEAD = 10000           -- dead letters kept, about
local SOON = 250             -- ms within which it is told that a lease runs out
local SHORTEST = 1000        -- ms of a lease

local function rc(...) return redis.call(...) end -- redis.call is nil while the library loads

local function micros()
  local t = rc('TIME')
  return tonumber(t[1]) * 1000000 + tonumber(t[2])
end

-- After a restart, a failover, or a time in which nobody reached this server, every lease looks expired: owners renew first.
-- A library's locals live as long as the server; that the first call finds them at 0 is how it knows of its restart.
local last_call, calm_since = 0, 0
-- µs without any call, after which owners may not have been able to renew: 3/8 of a lease. Above the 1/4 after which they renew: a
-- gateway alone takes over, too. All have the same lease; whoever asks for one says it.
local silence = 750000

local function leases_last(ms) silence = math.max(tonumber(ms), SHORTEST) * 375 end

local function heard()
  local now = micros()
  if now - last_call > silence or now < calm_since then calm_since = now end
  last_call = now
end

-- How many ms are left until calls have come for so many, and all who live had the time to renew.
local function unsettled(ms) return math.max(0, math.ceil(tonumber(ms) - (last_call - calm_since) / 1000)) end

local function digits(n) return string.format('%.0f', n) end -- tostring would say 1.79e+15

-- The session whose hash is `key`, with up to two more of its fields; nil when there is none.
local function load_session(key, x, y)
  local f = rc('HMGET', key, 'seq', 'at', 'gen', 'epoch', 'owner', 'state', x or 'seq', y or 'seq')
  if not f[1] then return nil end
  local tag, name = string.match(key, '^(%b{}):s:(.*)$')
  return {
    key = key, tag = tag, name = name, seq = tonumber(f[1]), at = tonumber(f[2]), gen = f[3], epoch = f[4],
    owner = f[5], open = f[6] == 'open', x = f[7], y = f[8], now = micros(),
  }
end

local function answer(s, outcome, ...) return {outcome, s.seq, s.now, s.at, ...} end

local function missing() return {'MISSING', 0, micros(), 0} end

-- Whether the event the caller saw last is gone, or another.
local function rewound(s, seq, at)
  seq = tonumber(seq)
  if seq == 0 then return false end
  if seq > s.seq then return true end
  if seq == s.seq then return tonumber(at) ~= s.at end
  local id = digits(seq) .. '-0'
  local e = rc('XRANGE', s.tag .. ':ev:' .. s.name, id, id)[1]
  return e == nil or e[2][4] ~= at
end

-- ── events ──────────────────────────────────────────────────────────────────────────────────────────────────────────

-- a[i]: how many, then (type, body) of each. Appends them, adds them to the owner's inbox; answers the index after them.
-- The caller stores seq and at, with whatever else it stores: `keep`.
local function append(s, a, i)
  local n = tonumber(a[i])
  i = i + 1
  if n == 0 then return i end
  if s.now > s.at then s.at = s.now end -- never going back, whatever the clock does
  local at, log, inbox = digits(s.at), s.tag .. ':ev:' .. s.name, s.tag .. ':in:' .. s.owner
  for _ = 1, n do
    local kind, body = a[i], a[i + 1]
    s.seq = s.seq + 1
    rc('XADD', log, s.seq .. '-0', 't', kind, 'at', at, 'b', body)
    if not rc('XADD', inbox, 'NOMKSTREAM', 'MAXLEN', '~', INBOX, '*', 's', s.name, 'q', s.seq, 't', kind, 'at', at, 'b', body) then
      rc('XADD', inbox, '*', 's', s.name, 'q', s.seq, 't', kind, 'at', at, 'b', body)
      rc('PEXPIRE', inbox, INBOX_TTL) -- even if its gateway never holds
    end
    i = i + 2
  end
  return i
end

local function keep(s, ...) rc('HSET', s.key, 'seq', s.seq, 'at', digits(s.at), ...) end

local function active(s) rc('ZADD', s.tag .. ':open', digits(s.at), s.name) end

-- ── jobs, lanes and parking ─────────────────────────────────────────────────────────────────────────────────────────
-- A job: {stage, id, lane, fence, value, deadline, enqueued, perishable, answers, body}. `fence` is a field of the session
-- hash ('gen' or 'hear:<participant>'), '' for none; the job is void when that field no longer says `value`.

local function void(s, fence, value)
  if fence == '' then return false end
  if fence == 'gen' then return s.gen ~= value end
  return rc('HGET', s.key, fence) ~= value
end

-- Keep the mark of a job that has ended among the last ENDED, so that a lost reply can be asked for again.
local function forget_later(s, id)
  local slot = 'e:' .. rc('HINCRBY', s.key, 'ended', 1) % ENDED
  local old = rc('HGET', s.key, slot)
  if old then rc('HDEL', s.key, 'm:' .. old) end
  rc('HSET', s.key, slot, id)
end

local function holder_of(s, lane)
  local h = rc('HGET', s.key, 'lane:' .. lane)
  if h then return string.match(h, '^(.-)\n(.-)\n(.*)$') end -- id, value, fence (last: participants choose their names)
end

local function push(s, j)
  rc('XADD', s.tag .. ':q:' .. j[1], '*', 's', s.name, 'id', j[2], 'l', j[3], 'f', j[4], 'v', j[5], 'd', j[6],
    'e', j[7], 'x', j[8], 'a', j[9], 'b', j[10])
  if j[3] ~= '' then
    rc('HSET', s.key, 'lane:' .. j[3], j[2] .. '\n' .. j[5] .. '\n' .. j[4])
    if j[4] ~= 'gen' and j[4] ~= '' then rc('HSET', s.key, j[4], j[5]) end -- whoever holds the lane is heard
  end
end

-- Drop void parked jobs; the first that is left for `lane` (nil: none) moves up into it.
local function move_up(s, lane)
  local key = s.tag .. ':parked:' .. s.name
  for _, packed in ipairs(rc('LRANGE', key, 0, -1)) do
    local j = cmsgpack.unpack(packed)
    if j[4] == 'gen' and j[5] ~= s.gen then -- one parked for hearing is never void: it was replaced or it waits
      rc('LREM', key, 1, packed)
      forget_later(s, j[2])
    elseif j[3] == lane then
      rc('LREM', key, 1, packed)
      push(s, j)
      lane = nil
    end
  end
end

-- A job's end: acknowledged, deleted, its lane given on. `s` nil: its session is gone.
local function finish(s, queue, entry, id, lane)
  rc('XACK', queue, GROUP, entry)
  rc('XDEL', queue, entry)
  if not s then return end
  forget_later(s, id)
  if lane ~= '' and s.open and holder_of(s, lane) == id then
    rc('HDEL', s.key, 'lane:' .. lane)
    move_up(s, lane)
  end
end

-- Give `j` the place of utterance `replaces` in its lane; false when that has none.
local function take_place(s, j, replaces)
  local id, value = holder_of(s, j[3])
  if id and value == replaces then
    push(s, j) -- the replaced job is void from here on: a worker's commit is STALE, take acknowledges it
    return true
  end
  local key = s.tag .. ':parked:' .. s.name
  for at, packed in ipairs(rc('LRANGE', key, 0, -1)) do
    local old = cmsgpack.unpack(packed)
    if old[3] == j[3] and old[5] == replaces then
      rc('LSET', key, at - 1, cmsgpack.pack(j))
      forget_later(s, old[2])
      return true
    end
  end
  return false
end

-- a[i]: how many, then (stage, id, lane, fence, value, deadline as a duration in µs, perishable, replaces, body) of each.
-- A repeated id and a job void at birth are left out. Answers the index after them.
local function enqueue(s, a, i)
  local n = tonumber(a[i])
  i = i + 1
  for _ = 1, n do
    local stage, id, lane, fence, value = a[i], a[i + 1], a[i + 2], a[i + 3], a[i + 4]
    local new = rc('HSETNX', s.key, 'm:' .. id, '-1 0 0 0 ') == 1
    if new and fence == 'gen' and value ~= s.gen then
      forget_later(s, id)
    elseif new then
      local j = {stage, id, lane, fence, value, digits(s.now + tonumber(a[i + 5])), digits(s.now), a[i + 6], digits(s.seq), a[i + 8]}
      if lane == '' then
        push(s, j)
      elseif a[i + 7] == '' or not take_place(s, j, a[i + 7]) then
        if rc('HEXISTS', s.key, 'lane:' .. lane) == 1 then -- a holder is never void: raising a fence frees its lane
          rc('RPUSH', s.tag .. ':parked:' .. s.name, cmsgpack.pack(j))
        else
          push(s, j)
        end
      end
    end
    i = i + 9
  end
  return i
end

-- Raise the generation: void parked jobs go, a lane held by a void job is free for the next.
local function raise(s, generation)
  s.gen = generation
  rc('HSET', s.key, 'gen', generation)
  local id, value, fence = holder_of(s, 'llm')
  if id and fence == 'gen' and value ~= generation then
    rc('HDEL', s.key, 'lane:llm')
    id = nil
  end
  move_up(s, not id and 'llm' or nil)
end

-- ── request ids ─────────────────────────────────────────────────────────────────────────────────────────────────────

local function answered(key, kind, request)
  local a = rc('HGET', key, 'q:' .. kind .. ':' .. request)
  if a then return string.match(a, '^(%d+) (%d+) (%d+)$') end -- seq, at, epoch
end

local function remember(s, kind, request)
  local slot, id = 'r:' .. rc('HINCRBY', s.key, 'requests', 1) % REQUESTS, kind .. ':' .. request
  local old = rc('HGET', s.key, slot)
  if old then rc('HDEL', s.key, 'q:' .. old) end
  rc('HSET', s.key, slot, id, 'q:' .. id, digits(s.seq) .. ' ' .. digits(s.at) .. ' ' .. s.epoch)
end
