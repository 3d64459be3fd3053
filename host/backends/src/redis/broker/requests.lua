-- The requests of a shard: their numbers, and the sets that they are in.

-- Bytes of the numbers in front of a request's body, and how they are written: priority, fence, expiries, since, sequence.
local BODY, NUMBERS = 54, '%02.0f%010.0f%010.0f%016.0f%016.0f'

local function request_key(tenant, id)
  return base .. 'request:' .. tenant .. ':' .. id
end

local function text_of(numbers)
  return string.format(NUMBERS, numbers.priority, numbers.fence, numbers.expiries, numbers.since, numbers.sequence)
end

local function fence_in(text)
  return sane(string.sub(text, 3, 12))
end

-- The numbers at the beginning of a text; nil where it is too short to be a request.
local function numbers_in(text)
  if not text or #text < BODY then
    return nil
  end
  return {
    priority = sane(string.sub(text, 1, 2)),
    fence = fence_in(text),
    expiries = sane(string.sub(text, 13, 22)),
    since = sane(string.sub(text, 23, 38)),
    sequence = sane(string.sub(text, 39, 54)),
  }
end

-- Lets `change` change the numbers of a request; those changed, nil where it is gone.
local function renumber(tenant, id, change)
  local key = request_key(tenant, id)
  local numbers = numbers_in(redis.call('GETRANGE', key, 0, BODY - 1))
  if numbers then
    change(numbers)
    redis.call('SETRANGE', key, 0, text_of(numbers))
  end
  return numbers
end

-- A place at the end of every priority class.
local function next_sequence()
  sequence = sequence + 1
  return sequence
end

-- Tenants that got ready requests in this call.
local stood_ready = {}

local function stand_ready(tenant, id, numbers)
  stood_ready[tenant] = true
  redis.call('ZADD', of_tenant('ready', tenant), whole((10 - numbers.priority) * 4398046511104 + numbers.sequence), id)
end

-- Puts a request that was leased back at its old place.
local function make_ready(tenant, id, fence, expired)
  local numbers = renumber(tenant, id, function(numbers)
    numbers.fence, numbers.since = math.max(numbers.fence, sane(fence)), now
    numbers.expiries = numbers.expiries + (expired and 1 or 0)
  end)
  if numbers then
    stand_ready(tenant, id, numbers)
  end
end

-- Puts a request at the end of its priority class. One that was not leased has no fence to note.
local function enqueue(tenant, id, since, fence)
  local numbers = renumber(tenant, id, function(numbers)
    numbers.fence, numbers.since = math.max(numbers.fence, sane(fence)), sane(since)
    numbers.sequence = next_sequence()
  end)
  if numbers then
    stand_ready(tenant, id, numbers)
  end
end

local function hold_back(tenant, id, wait)
  local due = now + wait
  local earliest = first_score(delayed)
  redis.call('ZADD', delayed, due, tenant .. ':' .. id)
  redis.call('SADD', of_tenant('delayed', tenant), id)
  any_delayed = true
  -- Receivers that wait know only of later times.
  if due < earliest then
    signal()
  end
end

-- Puts a message to the dead letters of a tenant, of which `most` are kept, for so many seconds.
local function bury(tenant, id, body, reason, most, lifetime)
  local key = of_tenant('dead', tenant)
  redis.call('LPUSH', key, cjson.encode({ id = id, body = body, reason = reason, at = whole(now) }))
  redis.call('LTRIM', key, 0, most - 1)
  redis.call('EXPIRE', key, lifetime)
end

-- A lease names its fence, so that one of an earlier hand-out is not there.
local function lease_of(tenant, id, fence)
  return tenant .. ':' .. id .. '/' .. fence
end

-- Id and fence in a lease, after its tenant.
local function leased(rest)
  local id, fence = string.match(rest, '^(.*)/(%d+)$')
  return id or rest, fence
end

local function holds(tenant, id, fence)
  return redis.call('ZSCORE', leases, lease_of(tenant, id, fence))
end

-- A request whose lease ends, or which goes on, waits no more for others, if it did.
local function wait_no_more(tenant, id)
  if not any_waiting then
    return
  end
  local key = of_tenant('waiting', tenant)
  if redis.call('SREM', key, id) == 1 and redis.call('EXISTS', key) == 0 then
    redis.call('SREM', waiting, tenant)
  end
end
