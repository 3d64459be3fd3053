-- Notes whether a request that is held only waits for others. ARGV[3]: tenant, its share, id, fence, 1 or 0.
local name, id = ARGV[3], ARGV[5]
if holds(name, id, ARGV[6]) then
  local tenant = enter(name, ARGV[4])
  if ARGV[7] == '1' then
    redis.call('SADD', of_tenant('waiting', name), id)
    redis.call('SADD', waiting, name)
    any_waiting = true
  else
    wait_no_more(name, id)
  end
  place(tenant)
  put_tenants_back(tenants)
  if put_back() then
    signal()
  end
end
