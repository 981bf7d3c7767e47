#!lua name=antiphon_7
-- The log's function library, part 1 of 4: what all functions share. The parts are joined and loaded as one.
--
-- The library's name carries its version, and so does each function's: processes of two versions live side by side.
-- A function checks everything before its first write. It is atomic, not transactional: an error leaves what was written.
-- Commands are those of Redis 7.0. All keys of a call lie in one slot: KEYS names where it goes, the rest is made from the
-- tag `{pNN}` it begins with (an undeclared key of the same slot works in cluster mode).
--
-- A function is given its arguments by name (`call`), then its keys, and answers by name: `_calls.py` declares both, once, and
-- `register` unpacks and packs them.
-- A session function answers {outcome, seq, time, at, ...}: seq and at of the session's last event, time is TIME, µs.
-- A command costs more than what it does. So a call asks once for the time; a session's hash is read when it is loaded, with the
-- fields that will be asked for, and written when all is decided (`save`).

local NAME = 'antiphon_7'
local GROUP = 'workers'      -- the one consumer group of each job stream
local NOBODY = '-'           -- the consumer that owns what was handed back
local ENDED = 64             -- marks of ended jobs kept per session
local REQUESTS = 32          -- request ids kept per session
local AT_ONCE = 1000         -- arguments that one command is given of a list of any length
local INBOX = 20000          -- entries an inbox keeps, about
local INBOX_TTL = 60000      -- ms after the gateway's last hold
local DEAD = 10000           -- dead letters kept, about
local DEAD_TTL = 86400000    -- ms they are kept: they hold what was said, as the log does
local SOON = 250             -- ms within which it is told that a lease runs out
local SHORTEST = 1000        -- ms of a lease
local FORK = 'fork-'         -- what the ids of replays begin with: while one is open it is on no list and has no lease
local FORK_TTL = 3600000     -- ms after which one that nobody goes on with is gone

local function rc(...) return redis.call(...) end -- redis.call is nil while the library loads

local now = 0 -- µs, of this call

local function look_at_the_clock()
  local t = rc('TIME')
  now = tonumber(t[1]) * 1000000 + tonumber(t[2])
end

-- After a restart, a failover, or a time in which nobody reached this server, every lease looks expired: owners renew first.
-- A library's locals live as long as the server; that the first call finds them at 0 is how it knows of its restart.
local last_call, calm_since = 0, 0
-- µs without any call, after which owners may not have been able to renew: 3/8 of a lease. Above the 1/4 after which they renew: a
-- gateway alone takes over, too. All have the same lease; whoever asks for one says it.
local silence = 750000

local function leases_last(ms) silence = math.max(ms, SHORTEST) * 375 end

local function heard()
  if now - last_call > silence or now < calm_since then calm_since = now end
  last_call = now
end

-- How many ms are left until calls have come for so many, and all who live had the time to renew.
local function unsettled(ms) return math.max(0, math.ceil(ms - (last_call - calm_since) / 1000)) end

local function digits(n) return string.format('%.0f', n) end -- tostring would say 1.79e+15

-- What Redis lists as name, value, name, value …, by name.
local function by_name(list)
  local named = {}
  for k = 1, #list, 2 do named[list[k]] = list[k + 1] end
  return named
end

-- The id of a stream's entry, and its fields by name.
local function opened(entry) return entry[1], by_name(entry[2]) end

-- The session whose hash is `key`, nil where there is none. `...`: further fields of the hash that will be asked for.
local function load_session(key, ...)
  local f = rc('HMGET', key, 'seq', 'at', 'gen', 'epoch', 'owner', 'state', ...)
  local seq, at, gen, epoch, owner, state = unpack(f)
  if not seq then return nil end
  local fields, tag, name = {}, string.match(key, '^(%b{}):s:(.*)$')
  for i = 1, select('#', ...) do fields[select(i, ...)] = f[6 + i] end
  return {
    key = key, tag = tag, name = name, seq = tonumber(seq), at = tonumber(at), gen = gen, epoch = tonumber(epoch),
    owner = owner, open = state == 'open', fields = fields, changed = {},
  }
end

-- What the session's hash says there, false: it is not set.
local function get(s, field)
  local value = s.fields[field]
  if value == nil then
    value = rc('HGET', s.key, field)
    s.fields[field] = value
  end
  return value
end

-- `value` false: the field goes. Nothing is written before `save`.
local function set(s, field, value)
  s.fields[field] = value
  s.changed[field] = true
end

local function save(s)
  local kept, gone = {}, {}
  for field in pairs(s.changed) do
    local value = s.fields[field]
    if value then
      kept[#kept + 1] = field
      kept[#kept + 1] = value
    else
      gone[#gone + 1] = field
    end
  end
  if #kept > 0 then rc('HSET', s.key, unpack(kept)) end
  if #gone > 0 then rc('HDEL', s.key, unpack(gone)) end
  s.changed = {}
end

local function answer(s, outcome) return {outcome = outcome, seq = s.seq, time = now, at = s.at} end

local function missing(outcome) return {outcome = outcome or 'MISSING', seq = 0, time = now, at = 0} end

-- The first answer again, from what was kept of it.
local function repeated(s, seq, at) return {outcome = 'DUP', seq = tonumber(seq), time = now, at = tonumber(at)} end

-- Whether the event the caller saw last (nil: none) is gone, or another.
local function rewound(s, seen)
  if not seen or seen.seq == 0 then return false end
  if seen.seq > s.seq then return true end
  if seen.seq == s.seq then return seen.at ~= s.at end
  local id = digits(seen.seq) .. '-0'
  local entry = rc('XRANGE', s.tag .. ':ev:' .. s.name, id, id)[1]
  if not entry then return true end
  local _, stored = opened(entry)
  return stored.at ~= digits(seen.at)
end

-- ── events ──────────────────────────────────────────────────────────────────────────────────────────────────────────

-- Appends them, and adds them to the owner's inbox.
local function append(s, events)
  if #events == 0 then return end
  if now > s.at then s.at = now end -- never going back, whatever the clock does
  local at, log, inbox = digits(s.at), s.tag .. ':ev:' .. s.name, s.tag .. ':in:' .. s.owner
  for _, event in ipairs(events) do
    local kind, body = event.type, event.body
    s.seq = s.seq + 1
    rc('XADD', log, s.seq .. '-0', 't', kind, 'at', at, 'b', body)
    if not rc('XADD', inbox, 'NOMKSTREAM', 'MAXLEN', '~', INBOX, '*', 's', s.name, 'q', s.seq, 't', kind, 'at', at, 'b', body) then
      rc('XADD', inbox, '*', 's', s.name, 'q', s.seq, 't', kind, 'at', at, 'b', body)
      rc('PEXPIRE', inbox, INBOX_TTL) -- even if its gateway never holds
    end
  end
  set(s, 'seq', digits(s.seq))
  set(s, 'at', at)
end

local function forked(s) return string.sub(s.name, 1, #FORK) == FORK end

local function active(s)
  if not forked(s) then return rc('ZADD', s.tag .. ':open', digits(s.at), s.name) end
  for _, kind in ipairs({':s:', ':ev:', ':parked:'}) do rc('PEXPIRE', s.tag .. kind .. s.name, FORK_TTL) end
end

-- ── jobs, lanes and parking ─────────────────────────────────────────────────────────────────────────────────────────
-- A job as it is stored: `fence` is a field of the session hash ('gen' or 'hear:<participant>'), '' for none; the job is void
-- when that field no longer says `value`. All are texts, perishable '1' or '0'.

-- In this order it lies packed among the parked.
local PARKED = {'stage', 'id', 'lane', 'fence', 'value', 'deadline', 'enqueued', 'perishable', 'answers', 'body'}

local function packed(stored)
  local list = {}
  for i, name in ipairs(PARKED) do list[i] = stored[name] end
  return cmsgpack.pack(list)
end

local function unpacked(list)
  local stored = {}
  for i, value in ipairs(cmsgpack.unpack(list)) do stored[PARKED[i]] = value end
  return stored
end

local function void(s, fence, value)
  if fence == '' then return false end
  if fence == 'gen' then return s.gen ~= value end
  return get(s, fence) ~= value
end

-- Keep the mark of a job that has ended among the last ENDED, so that a lost reply can be asked for again.
local function forget_later(s, id)
  local ended = (get(s, 'ended') or 0) + 1
  local slot = 'e:' .. ended % ENDED
  local old = get(s, slot)
  if old then set(s, 'm:' .. old, false) end
  set(s, slot, id)
  set(s, 'ended', digits(ended))
end

local function holder_of(s, lane)
  local h = get(s, 'lane:' .. lane)
  if h then return string.match(h, '^(.-)\n(.-)\n(.*)$') end -- id, value, fence (last: participants choose their names)
end

local function push(s, stored)
  local lane, fence, value = stored.lane, stored.fence, stored.value
  rc('XADD', s.tag .. ':q:' .. stored.stage, '*', 's', s.name, 'id', stored.id, 'l', lane, 'f', fence, 'v', value,
    'd', stored.deadline, 'e', stored.enqueued, 'x', stored.perishable, 'a', stored.answers, 'b', stored.body)
  if lane ~= '' then
    set(s, 'lane:' .. lane, stored.id .. '\n' .. value .. '\n' .. fence)
    if fence ~= 'gen' and fence ~= '' then set(s, fence, value) end -- whoever holds the lane is heard
  end
end

-- Drop void parked jobs; the first that is left for `lane` (nil: none) moves up into it.
local function move_up(s, lane)
  local key = s.tag .. ':parked:' .. s.name
  for _, list in ipairs(rc('LRANGE', key, 0, -1)) do
    local stored = unpacked(list)
    if stored.fence == 'gen' and stored.value ~= s.gen then -- one parked for hearing is never void: it was replaced or it waits
      rc('LREM', key, 1, list)
      forget_later(s, stored.id)
    elseif stored.lane == lane then
      rc('LREM', key, 1, list)
      push(s, stored)
      lane = nil
    end
  end
end

-- A job's end: acknowledged, deleted, its lane given on. `s` nil: its session is gone; else it is saved.
local function finish(s, queue, entry, id, lane)
  rc('XACK', queue, GROUP, entry)
  rc('XDEL', queue, entry)
  if not s then return end
  forget_later(s, id)
  if lane ~= '' and s.open and holder_of(s, lane) == id then
    set(s, 'lane:' .. lane, false)
    move_up(s, lane)
  end
  save(s)
end

-- Give the job the place of utterance `replaces` in its lane; false when that has none.
local function take_place(s, stored, replaces)
  local id, value = holder_of(s, stored.lane)
  if id and value == replaces then
    push(s, stored) -- the replaced job is void from here on: a worker's commit is STALE, take acknowledges it
    return true
  end
  local key = s.tag .. ':parked:' .. s.name
  for at, list in ipairs(rc('LRANGE', key, 0, -1)) do
    local old = unpacked(list)
    if old.lane == stored.lane and old.value == replaces then
      rc('LSET', key, at - 1, packed(stored))
      forget_later(s, old.id)
      return true
    end
  end
  return false
end

-- The fields of a session's hash that `enqueue` will ask for, behind others.
local function with_jobs(jobs, ...)
  local fields = {...}
  for _, job in ipairs(jobs) do
    fields[#fields + 1] = 'm:' .. job.id
    fields[#fields + 1] = 'lane:' .. job.lane
  end
  return unpack(fields)
end

-- A repeated id and a job void at birth are left out.
local function enqueue(s, jobs)
  for _, job in ipairs(jobs) do
    local mark = 'm:' .. job.id
    local new = not get(s, mark)
    if new then set(s, mark, '-1 0 0 0 ') end
    if new and job.fence == 'gen' and job.value ~= s.gen then
      forget_later(s, job.id)
    elseif new then
      local stored = {
        stage = job.stage, id = job.id, lane = job.lane, fence = job.fence, value = job.value,
        deadline = digits(now + job.deadline), enqueued = digits(now), perishable = job.perishable and '1' or '0',
        answers = digits(s.seq), body = job.body,
      }
      if job.lane == '' then
        push(s, stored)
      elseif job.replaces == '' or not take_place(s, stored, job.replaces) then
        if holder_of(s, job.lane) then -- a holder is never void: raising a fence frees its lane
          rc('RPUSH', s.tag .. ':parked:' .. s.name, packed(stored))
        else
          push(s, stored)
        end
      end
    end
  end
end

-- Raise the generation: void parked jobs go, a lane held by a void job is free for the next.
local function raise(s, generation)
  s.gen = generation
  set(s, 'gen', generation)
  local id, value, fence = holder_of(s, 'llm')
  if id and fence == 'gen' and value ~= generation then
    set(s, 'lane:llm', false)
    id = nil
  end
  move_up(s, not id and 'llm' or nil)
end

-- ── request ids ─────────────────────────────────────────────────────────────────────────────────────────────────────

local function request_of(kind, request) return 'q:' .. kind .. ':' .. request end

-- seq, at, epoch of the first answer to that request; nothing when it is new.
local function answered(s, kind, request)
  local kept = get(s, request_of(kind, request))
  if kept then return string.match(kept, '^(%d+) (%d+) (%d+)$') end
end

local function remember(s, kind, request)
  local requests = (get(s, 'requests') or 0) + 1
  local slot, id = 'r:' .. requests % REQUESTS, kind .. ':' .. request
  local old = get(s, slot)
  if old then set(s, 'q:' .. old, false) end
  set(s, slot, id)
  set(s, 'q:' .. id, digits(s.seq) .. ' ' .. digits(s.at) .. ' ' .. s.epoch)
  set(s, 'requests', digits(requests))
end
