-- The keys of one shard of one queue and the steps that its scripts share. Every key begins with KEYS[1], which ends in ':' and
-- holds the hash tag, so that a script touches one slot of a cluster.
--
--   shard             hash    vtime: the shard's virtual time; sequence: the last number given to a request
--   runnable          zset    tenants with ready requests and below their cap, by virtual time
--   spent             zset    tenants with nothing queued that are ahead of the shard's virtual time, by theirs
--   leases            zset    TENANT:ID/FENCE by time of expiry
--   delayed           zset    TENANT:ID by due time
--   wake              list    at most one marker: something for a receiver to look at
--   tenant:T          hash    cap, weight, vtime of a tenant that has requests here
--   ready:T           zset    ids by (10 - priority) * 2^42 + sequence
--   leases:T          zset    ID/FENCE by time of expiry; its size less that of waiting:T is the number in flight
--   waiting:T         set     ids of those that only wait for others
--   delayed:T         zset    ids by due time
--   request:T:ID      string  priority, fence, expiries, since (when it became ready), sequence, each of a fixed width, then the body
--   dead:T            list    the newest dead letters, newest first
--
-- Times are microseconds of Redis's own clock. All but dead:T are gone when nothing is queued. What a call changes of the shard and
-- of its tenants' accounts is kept in variables and written once, by `put_back`: a call that serves a hundred requests of a tenant
-- touches its account as often as one that serves a single one.

local base = KEYS[1]
local shard, runnable, spent = base .. 'shard', base .. 'runnable', base .. 'spent'
local leases, delayed, wake = base .. 'leases', base .. 'delayed', base .. 'wake'

local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]

local function of_tenant(kind, tenant)
  return base .. kind .. ':' .. tenant
end

local function request_key(tenant, id)
  return base .. 'request:' .. tenant .. ':' .. id
end

-- Tenant and id of a member; nil for one that is none of ours.
local function split(member)
  local colon = string.find(member, ':', 1, true)
  if not colon then
    return nil
  end
  return string.sub(member, 1, colon - 1), string.sub(member, colon + 1)
end

local function first_score(key)
  local head = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')
  return head[2] and tonumber(head[2])
end

-- A number that is one, whatever others wrote: 0 in the place of anything else.
local function sane(text)
  local number = tonumber(text or 0)
  return number and number == number and math.abs(number) < math.huge and number or 0
end

-- Most counts are small, and cheaper looked up than formatted.
local DIGITS = { [0] = '0', '1', '2', '3', '4', '5', '6', '7', '8', '9' }

local function whole(number)
  return DIGITS[number] or string.format('%.0f', number)
end

local function signal()
  if redis.call('EXISTS', wake) == 0 then
    redis.call('RPUSH', wake, 1)
  end
end

-- The shard's virtual time and last sequence number, with what this call changed.
local standing = redis.call('HMGET', shard, 'vtime', 'sequence')
local vtime, sequence = sane(standing[1]), math.floor(sane(standing[2]))
local vtime_before, sequence_before = vtime, sequence

-- The accounts of the tenants that this call has to do with.
local accounts = {}

local function account(tenant)
  local found = accounts[tenant]
  if not found then
    local state = redis.call('HMGET', of_tenant('tenant', tenant), 'cap', 'weight', 'vtime')
    found = { cap = sane(state[1]), weight = math.max(sane(state[2]), 0.000001), vtime = sane(state[3]), known = state[3] }
    accounts[tenant] = found
  end
  return found
end

-- Takes a tenant up, with what it may use.
local function enter(tenant, cap, weight)
  local found = account(tenant)
  found.cap, found.weight = sane(cap), math.max(sane(weight), 0.000001)
  if not found.known then
    local left = redis.call('ZSCORE', spent, tenant)
    found.vtime, found.known = left and sane(left) or vtime, true
    if left then
      redis.call('ZREM', spent, tenant)
    end
  end
end

local function charge(tenant, cost)
  local found = account(tenant)
  if found.known then
    found.vtime = found.vtime + cost / found.weight
  end
end

local function in_flight(tenant)
  return redis.call('ZCARD', of_tenant('leases', tenant)) - redis.call('SCARD', of_tenant('waiting', tenant))
end

-- Puts a tenant where it belongs after anything about it changed: in the line, at rest, or nowhere.
local function place(tenant)
  local found, key = account(tenant), of_tenant('tenant', tenant)
  if not found.known then
    redis.call('ZREM', runnable, tenant)
    return
  end
  local ready = redis.call('EXISTS', of_tenant('ready', tenant)) == 1
  local in_line = redis.call('ZSCORE', runnable, tenant)
  if ready and in_flight(tenant) < found.cap then
    -- Whoever comes back into the line gets no credit for the time it was away.
    if not in_line then
      found.vtime = math.max(found.vtime, vtime)
    end
    redis.call('HSET', key, 'cap', found.cap, 'weight', found.weight, 'vtime', found.vtime)
    redis.call('ZADD', runnable, found.vtime, tenant)
    return
  end
  if in_line then
    redis.call('ZREM', runnable, tenant)
  end
  if ready or redis.call('EXISTS', of_tenant('leases', tenant), of_tenant('delayed', tenant)) > 0 then
    redis.call('HSET', key, 'cap', found.cap, 'weight', found.weight, 'vtime', found.vtime)
    return
  end
  redis.call('DEL', key)
  if found.vtime > vtime then
    redis.call('ZADD', spent, found.vtime, tenant)
  end
  accounts[tenant] = nil
end

local function place_all()
  for tenant in pairs(accounts) do
    place(tenant)
  end
end

-- Writes what changed of the shard, or ends the busy period, and with it all accounts, when nothing waits for its turn and nothing
-- is in flight. Says whether anybody can be served.
local function put_back()
  local serves = redis.call('EXISTS', runnable) == 1
  if not serves and redis.call('EXISTS', leases) == 0 then
    redis.call('UNLINK', spent)
    if redis.call('EXISTS', delayed) == 0 then
      redis.call('DEL', shard, wake)
      return false
    end
  end
  if vtime ~= vtime_before or sequence ~= sequence_before then
    redis.call('HSET', shard, 'vtime', vtime, 'sequence', whole(sequence))
  end
  return serves
end

-- A place at the end of every priority class.
local function next_sequence()
  sequence = sequence + 1
  return sequence
end

local function score(priority, number)
  return whole((10 - priority) * 4398046511104 + number)
end

-- Where the numbers of a request stand in its text: from which byte, and how many.
local PRIORITY, FENCE, EXPIRIES, SINCE, SEQUENCE = { 0, 2 }, { 2, 10 }, { 12, 10 }, { 22, 16 }, { 38, 16 }
local BODY = 54

local function read(text, field)
  return sane(string.sub(text, field[1] + 1, field[1] + field[2]))
end

local function written(number, field)
  return string.format('%0' .. field[2] .. '.0f', number)
end

local function text_of(priority, number, body)
  return written(priority, PRIORITY) .. written(0, FENCE) .. written(0, EXPIRIES) .. written(now, SINCE) .. written(number, SEQUENCE) .. body
end

-- The numbers of a request, as text; nil where it is gone.
local function numbers_of(tenant, id)
  local text = redis.call('GETRANGE', request_key(tenant, id), 0, BODY - 1)
  return #text == BODY and text or nil
end

local function write(tenant, id, field, text)
  redis.call('SETRANGE', request_key(tenant, id), field[1], text)
end

-- Puts a request among the ready ones, at the place that its priority and sequence give it.
local function make_ready(tenant, id, expired)
  local text = numbers_of(tenant, id)
  if text then
    write(tenant, id, EXPIRIES, written(read(text, EXPIRIES) + (expired and 1 or 0), EXPIRIES) .. written(now, SINCE))
    redis.call('ZADD', of_tenant('ready', tenant), score(read(text, PRIORITY), read(text, SEQUENCE)), id)
  end
end

-- Puts a request at the end of its priority class.
local function enqueue(tenant, id, since)
  local text, number = numbers_of(tenant, id), next_sequence()
  if text then
    write(tenant, id, SINCE, written(sane(since), SINCE) .. written(number, SEQUENCE))
    redis.call('ZADD', of_tenant('ready', tenant), score(read(text, PRIORITY), number), id)
  end
end

local function hold_back(tenant, id, wait)
  local due = now + wait
  local earliest = first_score(delayed)
  redis.call('ZADD', delayed, due, tenant .. ':' .. id)
  redis.call('ZADD', of_tenant('delayed', tenant), due, id)
  -- Receivers that wait know only of later times.
  if not earliest or due < earliest then
    signal()
  end
end

-- A lease names its fence, so that one of an earlier hand-out is not there.
local function lease_of(id, fence)
  return id .. '/' .. fence
end

local function holds(tenant, id, fence)
  return redis.call('ZSCORE', of_tenant('leases', tenant), lease_of(id, fence))
end
