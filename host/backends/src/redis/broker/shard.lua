-- The keys of one shard of one queue and the steps that its scripts share. Every key begins with KEYS[1], which ends in ':' and
-- holds the hash tag, so that a script touches one slot of a cluster.
--
--   shard             hash    vtime: the shard's virtual time; sequence: the last number given to a request
--   runnable          zset    tenants with ready requests and below their cap, by virtual time
--   spent             zset    tenants with nothing queued that are ahead of the shard's virtual time, by theirs
--   leases, delayed   zset    TENANT:ID by time of expiry, or by due time
--   wake              list    at most one marker: something for a receiver to look at
--   tenant:T          hash    cap, weight, vtime of a tenant that has requests here
--   ready:T           zset    ids by (10 - priority) * 2^42 + sequence
--   leases:T          zset    ids by time of expiry; its size less that of waiting:T is the number in flight
--   waiting:T         set     ids of those that only wait for others
--   delayed:T         zset    ids by due time
--   request:T:ID      hash    body, priority, sequence, fence, expiries, since (when it became ready)
--   dead:T            list    the newest dead letters, newest first
--
-- Times are microseconds of Redis's own clock. All but dead:T are gone when nothing is queued.

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

local function shard_vtime()
  return sane(redis.call('HGET', shard, 'vtime'))
end

local function signal()
  if redis.call('EXISTS', wake) == 0 then
    redis.call('RPUSH', wake, 1)
  end
end

-- Takes a tenant up, with what it may use.
local function enter(tenant, cap, weight)
  local key = of_tenant('tenant', tenant)
  redis.call('HSET', key, 'cap', cap, 'weight', weight)
  redis.call('HSETNX', key, 'vtime', redis.call('ZSCORE', spent, tenant) or shard_vtime())
  redis.call('ZREM', spent, tenant)
end

local function charge(tenant, cost)
  local key = of_tenant('tenant', tenant)
  local state = redis.call('HMGET', key, 'vtime', 'weight')
  if state[1] then
    redis.call('HSET', key, 'vtime', sane(state[1]) + cost / math.max(sane(state[2]), 0.000001))
  end
end

-- Puts a tenant where it belongs after anything about it changed: in the line, at rest, or nowhere.
local function place(tenant)
  local key = of_tenant('tenant', tenant)
  local state = redis.call('HMGET', key, 'vtime', 'cap')
  if not state[1] then
    redis.call('ZREM', runnable, tenant)
    return
  end
  local vtime = sane(state[1])
  local ready = redis.call('EXISTS', of_tenant('ready', tenant)) == 1
  local held = redis.call('ZCARD', of_tenant('leases', tenant))
  local in_flight = held - redis.call('SCARD', of_tenant('waiting', tenant))
  if ready and in_flight < sane(state[2]) then
    -- Whoever comes back into the line gets no credit for the time it was away.
    if not redis.call('ZSCORE', runnable, tenant) then
      vtime = math.max(vtime, shard_vtime())
      redis.call('HSET', key, 'vtime', vtime)
    end
    redis.call('ZADD', runnable, vtime, tenant)
    return
  end
  redis.call('ZREM', runnable, tenant)
  if not ready and held == 0 and redis.call('EXISTS', of_tenant('delayed', tenant)) == 0 then
    redis.call('DEL', key)
    if vtime > shard_vtime() then
      redis.call('ZADD', spent, vtime, tenant)
    end
  end
end

-- Ends the busy period, and with it all accounts, when nothing waits for its turn and nothing is in flight.
local function rest()
  if redis.call('EXISTS', runnable, leases) > 0 then
    return
  end
  redis.call('UNLINK', spent)
  if redis.call('EXISTS', delayed) == 0 then
    redis.call('DEL', shard, wake)
  end
end

-- Puts a request among the ready ones, at the place that its priority and sequence give it.
local function make_ready(tenant, id, since)
  local key = request_key(tenant, id)
  local order = redis.call('HMGET', key, 'priority', 'sequence')
  if order[1] then
    redis.call('HSET', key, 'since', since)
    redis.call('ZADD', of_tenant('ready', tenant), (10 - order[1]) * 4398046511104 + order[2], id)
  end
end

-- Puts a request at the end of its priority class.
local function enqueue(tenant, id, since)
  local sequence = string.format('%.0f', math.floor(sane(redis.call('HGET', shard, 'sequence'))) + 1)
  redis.call('HSET', shard, 'sequence', sequence)
  redis.call('HSET', request_key(tenant, id), 'sequence', sequence)
  make_ready(tenant, id, since)
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

local function release(tenant, id)
  redis.call('ZREM', leases, tenant .. ':' .. id)
  redis.call('ZREM', of_tenant('leases', tenant), id)
  redis.call('SREM', of_tenant('waiting', tenant), id)
end

local function holds(tenant, id, fence)
  return redis.call('ZSCORE', of_tenant('leases', tenant), id)
    and redis.call('HGET', request_key(tenant, id), 'fence') == fence
end
