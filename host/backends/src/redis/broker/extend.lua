-- Renews leases. ARGV: length of a lease, then for each lease tenant, id and fence. Returns the numbers, from 0, of those no longer held.
local lost = {}
for at = 2, #ARGV, 3 do
  local tenant, id = ARGV[at], ARGV[at + 1]
  if holds(tenant, id, ARGV[at + 2]) then
    redis.call('ZADD', leases, now + ARGV[1], tenant .. ':' .. lease_of(id, ARGV[at + 2]))
    redis.call('ZADD', of_tenant('leases', tenant), now + ARGV[1], lease_of(id, ARGV[at + 2]))
  else
    lost[#lost + 1] = (at - 2) / 3
  end
end
return lost
