-- Queues requests of one tenant. ARGV: tenant, cap, weight, then for each request its id, priority, delay and body.
-- One that is queued or leased already is left as it is.
local tenant = ARGV[1]
enter(tenant, ARGV[2], ARGV[3])
for at = 4, #ARGV, 4 do
  local id, priority, delay = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2])
  local number = delay > 0 and 0 or next_sequence()
  if redis.call('SET', request_key(tenant, id), text_of(sane(priority), number, ARGV[at + 3]), 'NX') then
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
