-- Notes whether a request that is held only waits for others. ARGV: tenant, id, fence, 1 or 0.
local tenant, id = ARGV[1], ARGV[2]
if holds(tenant, id, ARGV[3]) then
  redis.call(ARGV[4] == '1' and 'SADD' or 'SREM', of_tenant('waiting', tenant), id)
  place(tenant)
  if put_back() then
    signal()
  end
end
