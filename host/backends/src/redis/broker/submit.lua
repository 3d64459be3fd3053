-- Queues requests of one tenant. ARGV: tenant, cap, weight, then for each request its id, priority, delay and body.
-- One that is queued or leased already is left as it is.
local tenant = ARGV[1]
enter(tenant, ARGV[2], ARGV[3])
for at = 4, #ARGV, 4 do
  local id, delay = ARGV[at], tonumber(ARGV[at + 2])
  local key = request_key(tenant, id)
  if redis.call('EXISTS', key) == 0 then
    redis.call('HSET', key, 'priority', ARGV[at + 1], 'body', ARGV[at + 3], 'fence', 0, 'expiries', 0)
    if delay > 0 then
      hold_back(tenant, id, delay)
    else
      enqueue(tenant, id, now)
    end
  end
end
place(tenant)
if redis.call('EXISTS', runnable) == 1 then
  signal()
end
