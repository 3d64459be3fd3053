-- Queues requests of one tenant. ARGV: tenant, cap, weight, then for each request its id, priority, delay and body.
-- One that is queued or leased already is left as it is.
local tenant = ARGV[1]
enter(tenant, ARGV[2], ARGV[3])
for at = 4, #ARGV, 4 do
  local id, priority, delay = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2])
  local key = request_key(tenant, id)
  if redis.call('EXISTS', key) == 0 then
    local number = delay > 0 and 0 or next_sequence()
    redis.call('HSET', key, 'priority', priority, 'body', ARGV[at + 3], 'sequence', whole(number), 'since', now)
    if delay > 0 then
      hold_back(tenant, id, delay)
    else
      redis.call('ZADD', of_tenant('ready', tenant), score(sane(priority), number), id)
    end
  end
end
place(tenant)
if put_back() then
  signal()
end
