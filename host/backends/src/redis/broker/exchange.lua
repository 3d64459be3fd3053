-- Settles deliveries, then, where any are wanted, takes back what expired, promotes what is due, and hands out requests. ARGV: number
-- wanted, length of a lease, most leases taken back, most requests promoted, bytes of bodies after which no more is handed out,
-- estimated and least cost, most dead letters of a tenant, their time to live in seconds, their longest body, then for each
-- delivery to settle tenant, cap, weight, id, fence, cost, verdict and its detail (a wait, or a reason). One whose lease was lost
-- is passed over.
-- Returns the time until the next lease expires or the next request is due, -1 for neither, and a list with
-- {tenant, id, fence, expiries, time it lay ready, body} for each request.
local wanted, lease, most_taken_back, most_promoted = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], ARGV[4]
local most_bytes, estimated_cost, least_cost = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local most_dead, dead_lifetime, longest_body = tonumber(ARGV[8]), ARGV[9], tonumber(ARGV[10])
local first_settlement, most_forgotten = 11, 100

-- Removed together, after all of them are known.
local released, done = {}, {}

-- Those of a tenant that waited for others, if any did.
local function wait_no_more(tenant, ids)
  local waiting = of_tenant('waiting', tenant)
  if redis.call('EXISTS', waiting) == 1 then
    redis.call('SREM', waiting, unpack(ids))
  end
end

local verdicts = {}

function verdicts.done(tenant, id)
  done[#done + 1] = request_key(tenant, id)
end

function verdicts.retry(tenant, id, wait)
  if tonumber(wait) > 0 then
    hold_back(tenant, id, tonumber(wait))
  else
    enqueue(tenant, id, now)
  end
end

verdicts['give-back'] = function(tenant, id)
  make_ready(tenant, id)
end

function verdicts.reject(tenant, id, reason)
  local key = request_key(tenant, id)
  local body = redis.call('GETRANGE', key, BODY, BODY + longest_body - 1)
  local letter = { id = id, body = body, reason = reason, at = whole(now) }
  redis.call('LPUSH', of_tenant('dead', tenant), cjson.encode(letter))
  redis.call('LTRIM', of_tenant('dead', tenant), 0, most_dead - 1)
  redis.call('EXPIRE', of_tenant('dead', tenant), dead_lifetime)
  done[#done + 1] = key
end

-- The settlements by tenant: where the arguments of each begin.
local function by_tenant()
  local groups = {}
  for at = first_settlement, #ARGV, 8 do
    local group = groups[ARGV[at]] or {}
    groups[ARGV[at]] = group
    group[#group + 1] = at
  end
  return groups
end

local function settle_those_of(tenant, group)
  local key, members, ids = of_tenant('leases', tenant), {}, {}
  for i, at in ipairs(group) do
    members[i], ids[i] = lease_of(ARGV[at + 3], ARGV[at + 4]), ARGV[at + 3]
  end
  local held = redis.call('ZMSCORE', key, unpack(members))
  redis.call('ZREM', key, unpack(members))
  wait_no_more(tenant, ids)
  for i, at in ipairs(group) do
    if held[i] then
      released[#released + 1] = tenant .. ':' .. members[i]
      enter(tenant, ARGV[at + 1], ARGV[at + 2])
      charge(tenant, math.max(tonumber(ARGV[at + 5]), least_cost) - estimated_cost)
      verdicts[ARGV[at + 6]](tenant, ids[i], ARGV[at + 7])
    end
  end
end

local function settle()
  for tenant, group in pairs(by_tenant()) do
    settle_those_of(tenant, group)
  end
end

local function take_back()
  for _, member in ipairs(redis.call('ZRANGE', leases, '-inf', now, 'BYSCORE', 'LIMIT', 0, most_taken_back)) do
    local tenant, of_request = split(member)
    released[#released + 1] = member
    if tenant and redis.call('ZREM', of_tenant('leases', tenant), of_request) == 1 then
      local id = string.match(of_request, '^(.*)/') or of_request
      wait_no_more(tenant, { id })
      account(tenant)
      make_ready(tenant, id, true)
    end
  end
end

local function promote()
  local due = redis.call('ZRANGE', delayed, '-inf', now, 'BYSCORE', 'LIMIT', 0, most_promoted, 'WITHSCORES')
  for at = 1, #due, 2 do
    local tenant, id = split(due[at])
    redis.call('ZREM', delayed, due[at])
    if tenant then
      redis.call('ZREM', of_tenant('delayed', tenant), id)
      enqueue(tenant, id, due[at + 1])
      account(tenant)
    end
  end
end

local function remove()
  if released[1] then
    redis.call('ZREM', leases, unpack(released))
  end
  if done[1] then
    redis.call('DEL', unpack(done))
  end
end

-- What is handed out of a request; nil where it is gone.
local function hand_out(tenant, id)
  local text = redis.call('GET', request_key(tenant, id))
  if not text or #text < BODY then
    return nil
  end
  local fence = read(text, FENCE) + 1
  write(tenant, id, FENCE, written(fence, FENCE))
  local queued = math.max(now - read(text, SINCE), 0)
  return { tenant, id, fence, read(text, EXPIRIES), queued, string.sub(text, BODY + 1) }
end

-- How many requests of the first tenant in line may be handed out in a row: until its cap, or until the second's turn has come.
local function turns(tenant, found, second, second_vtime)
  local room = math.max(found.cap - in_flight(tenant), 1)
  if not second then
    return room
  end
  local step = estimated_cost / found.weight
  local count = math.ceil((second_vtime - found.vtime) / step)
  -- Among equals the order is that of their names.
  if found.vtime + count * step <= second_vtime and tenant < second then
    count = count + 1
  end
  return math.max(math.min(room, count), 1)
end

-- The tenant that is furthest behind goes first; the shard's time is that at which the last one was served.
local function claim(answer)
  local bytes = 0
  while #answer < wanted and bytes < most_bytes do
    local line = redis.call('ZRANGE', runnable, 0, 1, 'WITHSCORES')
    local tenant = line[1]
    if not tenant then
      break
    end
    local found, taken, expiries = account(tenant), 0, {}
    local most = math.min(wanted - #answer, turns(tenant, found, line[3], tonumber(line[4])))
    for _, id in ipairs(redis.call('ZRANGE', of_tenant('ready', tenant), 0, most - 1)) do
      if bytes >= most_bytes then
        break
      end
      taken = taken + 1
      local delivery = hand_out(tenant, id)
      if delivery then
        answer[#answer + 1] = delivery
        bytes = bytes + #delivery[6]
        expiries[#expiries + 1] = now + lease
        expiries[#expiries + 1] = lease_of(id, delivery[3])
        vtime = math.max(vtime, found.vtime)
        charge(tenant, estimated_cost)
      end
    end
    if taken > 0 then
      redis.call('ZREMRANGEBYRANK', of_tenant('ready', tenant), 0, taken - 1)
    end
    if expiries[1] then
      redis.call('ZADD', of_tenant('leases', tenant), unpack(expiries))
      for at = 2, #expiries, 2 do
        expiries[at] = tenant .. ':' .. expiries[at]
      end
      redis.call('ZADD', leases, unpack(expiries))
    end
    place(tenant)
  end
end

-- A tenant that the shard's time has caught up with needs no account.
local function forget_spent()
  local caught_up = redis.call('ZRANGE', spent, '-inf', vtime, 'BYSCORE', 'LIMIT', 0, most_forgotten)
  if caught_up[1] then
    redis.call('ZREM', spent, unpack(caught_up))
  end
end

local function time_to_next()
  local due, expiry = first_score(delayed), first_score(leases)
  local next = math.min(due or math.huge, expiry or math.huge)
  return next < math.huge and math.max(next - now, 0) or -1
end

local answer = {}
settle()
if wanted > 0 then
  take_back()
  promote()
end
remove()
place_all()
claim(answer)
forget_spent()
if put_back() then
  signal()
end
return { time_to_next(), answer }
