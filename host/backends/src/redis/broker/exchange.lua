-- Settles deliveries, then, where any are wanted, takes back what expired, promotes what is due, and hands out requests. ARGV[3]:
-- number wanted, length of a lease, most leases taken back, most requests promoted, bytes of bodies after which no more is handed
-- out, estimated and least cost, most dead letters of a tenant, their time to live in seconds, their longest body, most wanted of one
-- tenant, how many tenants of whom nothing is wanted, these, then groups of deliveries to settle: share, verdict, its detail (a wait, or a reason), how many, and for each tenant, id, fence and cost. One whose
-- lease was lost is passed over.
-- Returns the time, that until the next lease expires or the next request is due, -1 for neither, and a list with
-- {tenant, id, text} for each request, whose fence is the one after that in the text.
local wanted, lease, most_taken_back, most_promoted = tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5], ARGV[6]
local most_bytes, estimated_cost, least_cost = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local most_dead, dead_lifetime, longest_body = tonumber(ARGV[10]), ARGV[11], tonumber(ARGV[12])
local first_group, most_forgotten = 15 + number_not_of, 100

-- Removed together, after all of them are known.
local released, done = {}, {}

local held_back = false

local verdicts = {}

function verdicts.done(tenant, id)
  done[#done + 1] = request_key(tenant, id)
end

function verdicts.retry(tenant, id, fence, wait)
  if tonumber(wait) == 0 then
    enqueue(tenant, id, now, fence)
    return
  end
  renumber(tenant, id, function(numbers)
    numbers.fence = sane(fence)
  end)
  hold_back(tenant, id, tonumber(wait))
  held_back = true
end

verdicts['give-back'] = function(tenant, id, fence)
  make_ready(tenant, id, fence)
end

function verdicts.reject(tenant, id, _, reason)
  local key = request_key(tenant, id)
  bury(tenant, id, redis.call('GETRANGE', key, BODY, BODY + longest_body - 1), reason, most_dead, dead_lifetime)
  done[#done + 1] = key
end

-- The leases that the arguments name, in their order, and their tenants, each once.
local function leases_given()
  local members, names, seen, at = {}, {}, {}, first_group
  while at <= #ARGV do
    local last = at + 3 + 4 * ARGV[at + 3]
    for one = at + 4, last, 4 do
      members[#members + 1] = lease_of(ARGV[one], ARGV[one + 1], ARGV[one + 2])
      add_new(names, seen, ARGV[one])
    end
    at = last + 1
  end
  return members, names
end

-- Settles a delivery, whose tenant, id, fence and cost begin at `at`.
local function settle_one(verdict, at, share, detail)
  local tenant, id, cost = tenants[ARGV[at]], ARGV[at + 1], number_in(ARGV[at + 3])
  -- By the weight that the estimate was charged with.
  charge(tenant, (cost > least_cost and cost or least_cost) - estimated_cost)
  agree(tenant, share)
  hold(tenant, -1)
  wait_no_more(tenant.name, id)
  verdict(tenant.name, id, ARGV[at + 2], detail)
end

-- Settles those whose leases are held, which have an expiry. A lease that is named twice is settled once.
local function settle()
  local members, names = leases_given()
  if not members[1] then
    return
  end
  local expiries, ended, number, at = redis.call('ZMSCORE', leases, unpack(members)), {}, 1, first_group
  take_up(names)
  while at <= #ARGV do
    local share, verdict, detail, last = ARGV[at], verdicts[ARGV[at + 1]], ARGV[at + 2], at + 3 + 4 * ARGV[at + 3]
    for one = at + 4, last, 4 do
      local member = members[number]
      if expiries[number] and not ended[member] then
        ended[member] = true
        released[#released + 1] = member
        settle_one(verdict, one, share, detail)
      end
      number = number + 1
    end
    at = last + 1
  end
end

-- Members of a set whose time has come, as pairs of tenant and the rest; takes the tenants up.
local function past(key, most)
  local found, names, seen = {}, {}, {}
  local members = redis.call('ZRANGE', key, '-inf', now, 'BYSCORE', 'LIMIT', 0, most, 'WITHSCORES')
  for at = 1, #members, 2 do
    local name, rest = split(members[at])
    found[#found + 1] = { member = members[at], name = name, rest = rest, at = members[at + 1] }
    if name then
      add_new(names, seen, name)
    end
  end
  take_up(names)
  return found
end

local first_expiry, first_due = math.huge, math.huge
if wanted > 0 then
  first_expiry, first_due = first_score(leases), first_score(delayed)
end

local function take_back()
  if first_expiry > now then
    return
  end
  for _, one in ipairs(past(leases, most_taken_back)) do
    released[#released + 1] = one.member
    local id, fence = leased(one.rest or '')
    if one.name then
      hold(tenants[one.name], -1)
      wait_no_more(one.name, id)
      make_ready(one.name, id, fence, true)
    end
  end
end

local function promote()
  if first_due > now then
    return
  end
  for _, one in ipairs(past(delayed, most_promoted)) do
    redis.call('ZREM', delayed, one.member)
    if one.name then
      redis.call('SREM', of_tenant('delayed', one.name), one.rest)
      enqueue(one.name, one.rest, one.at)
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

-- A tenant that the shard's time has caught up with needs no account.
local function forget_spent()
  if vtime == vtime_before then
    return
  end
  local caught_up = redis.call('ZRANGE', spent, '-inf', vtime, 'BYSCORE', 'LIMIT', 0, most_forgotten)
  if caught_up[1] then
    redis.call('ZREM', spent, unpack(caught_up))
  end
end

-- The sets are asked again only where they may have another first.
local function time_to_next(handed_out)
  if wanted == 0 then
    return -1
  end
  if released[1] or first_expiry <= now then
    first_expiry = first_score(leases)
  elseif handed_out then
    first_expiry = math.min(first_expiry, now + lease)
  end
  if held_back or first_due <= now then
    first_due = first_score(delayed)
  end
  local next = math.min(first_expiry, first_due)
  return next < math.huge and math.max(next - now, 0) or -1
end

settle()
if wanted > 0 then
  take_back()
  promote()
end
remove()
for _, tenant in pairs(tenants) do
  place(tenant)
end
put_tenants_back(tenants)
local answer = wanted > 0 and claim(wanted, lease, most_bytes, estimated_cost) or {}
forget_spent()
if put_back() then
  signal()
end
return { now, time_to_next(answer[1]), answer }
