-- Settles deliveries. ARGV: most dead letters of a tenant, their time to live in seconds, their longest body, estimated and
-- least cost, then for each delivery tenant, cap, weight, id, fence, cost, verdict and its detail (a wait, or a reason).
-- One whose lease was lost is passed over.
local most_dead, dead_lifetime, longest_body = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local estimated_cost, least_cost = tonumber(ARGV[4]), tonumber(ARGV[5])

local verdicts = {}

function verdicts.done(tenant, id)
  redis.call('DEL', request_key(tenant, id))
end

function verdicts.retry(tenant, id, wait)
  if tonumber(wait) > 0 then
    hold_back(tenant, id, tonumber(wait))
  else
    enqueue(tenant, id, now)
  end
end

verdicts['give-back'] = function(tenant, id)
  make_ready(tenant, id, now)
end

function verdicts.reject(tenant, id, reason)
  local key = request_key(tenant, id)
  local body = string.sub(redis.call('HGET', key, 'body') or '', 1, longest_body)
  local letter = { id = id, body = body, reason = reason, at = string.format('%.0f', now) }
  redis.call('LPUSH', of_tenant('dead', tenant), cjson.encode(letter))
  redis.call('LTRIM', of_tenant('dead', tenant), 0, most_dead - 1)
  redis.call('EXPIRE', of_tenant('dead', tenant), dead_lifetime)
  redis.call('DEL', key)
end

for at = 6, #ARGV, 8 do
  local tenant, id = ARGV[at], ARGV[at + 3]
  if holds(tenant, id, ARGV[at + 4]) then
    enter(tenant, ARGV[at + 1], ARGV[at + 2])
    release(tenant, id)
    charge(tenant, math.max(tonumber(ARGV[at + 5]), least_cost) - estimated_cost)
    verdicts[ARGV[at + 6]](tenant, id, ARGV[at + 7])
    place(tenant)
  end
end
rest()
if redis.call('EXISTS', runnable) == 1 then
  signal()
end
