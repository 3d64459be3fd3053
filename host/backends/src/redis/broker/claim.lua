-- Takes back what expired, promotes what is due, and hands out up to a number of requests. ARGV: number wanted, length of a
-- lease, most leases taken back, most requests promoted, bytes of bodies after which no more is handed out, estimated cost.
-- Returns the time until the next lease expires or the next request is due, -1 for neither, and a list with
-- {tenant, id, fence, expiries, time it lay ready, body} for each request.
local wanted, lease, most_taken_back, most_promoted = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], ARGV[4]
local most_bytes, estimated_cost, most_forgotten = tonumber(ARGV[5]), tonumber(ARGV[6]), 100

local function take_back()
  for _, member in ipairs(redis.call('ZRANGE', leases, '-inf', now, 'BYSCORE', 'LIMIT', 0, most_taken_back)) do
    local tenant, id = split(member)
    if tenant then
      release(tenant, id)
      if redis.call('EXISTS', request_key(tenant, id)) == 1 then
        redis.call('HINCRBY', request_key(tenant, id), 'expiries', 1)
        make_ready(tenant, id, now)
      end
      place(tenant)
    else
      redis.call('ZREM', leases, member)
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
      if redis.call('EXISTS', request_key(tenant, id)) == 1 then
        enqueue(tenant, id, due[at + 1])
      end
      place(tenant)
    end
  end
end

local function hand_out(tenant, id)
  local key = request_key(tenant, id)
  local request = redis.call('HMGET', key, 'expiries', 'since', 'body')
  if not request[3] then
    return nil
  end
  redis.call('ZADD', leases, now + lease, tenant .. ':' .. id)
  redis.call('ZADD', of_tenant('leases', tenant), now + lease, id)
  local fence = redis.call('HINCRBY', key, 'fence', 1)
  charge(tenant, estimated_cost)
  return { tenant, id, fence, tonumber(request[1] or 0), math.max(now - (request[2] or now), 0), request[3] }
end

-- The tenant that is furthest behind goes first; the shard's time is that at which the last one was served.
local function claim(answer)
  local bytes, vtime = 0, shard_vtime()
  while #answer < wanted and bytes < most_bytes do
    local first = redis.call('ZRANGE', runnable, 0, 0, 'WITHSCORES')
    if not first[1] then
      break
    end
    local popped = redis.call('ZPOPMIN', of_tenant('ready', first[1]))
    local delivery = popped[1] and hand_out(first[1], popped[1])
    if delivery then
      answer[#answer + 1] = delivery
      bytes = bytes + #delivery[6]
      vtime = math.max(vtime, tonumber(first[2]))
      redis.call('HSET', shard, 'vtime', vtime)
    end
    place(first[1])
  end
end

-- A tenant that the shard's time has caught up with needs no account.
local function forget_spent()
  local caught_up = redis.call('ZRANGE', spent, '-inf', shard_vtime(), 'BYSCORE', 'LIMIT', 0, most_forgotten)
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
take_back()
promote()
claim(answer)
forget_spent()
rest()
if redis.call('EXISTS', runnable) == 1 then
  signal()
end
return { time_to_next(), answer }
