-- Queues requests of one tenant. ARGV[3]: tenant, its share, then for each request its id, priority, delay and body.
-- One that is queued or leased already is left as it is.
local name = ARGV[3]
take_up({ name })
local tenant = tenants[name]
agree(tenant, ARGV[4])
local ready = false
for at = 5, #ARGV, 4 do
  local id, delay = ARGV[at], tonumber(ARGV[at + 2])
  local numbers = { priority = sane(ARGV[at + 1]), fence = 0, expiries = 0, since = now, sequence = delay > 0 and 0 or next_sequence() }
  if redis.call('SET', request_key(name, id), text_of(numbers) .. ARGV[at + 3], 'NX') then
    if delay > 0 then
      hold_back(name, id, delay)
    else
      stand_ready(name, id, numbers)
      ready = true
    end
  end
end
place(tenant, ready)
put_tenants_back()
if put_back(tenant.place == runnable or nil) then
  signal()
end
