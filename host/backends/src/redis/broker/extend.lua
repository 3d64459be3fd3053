-- Renews leases. ARGV[3]: length of a lease, then for each lease tenant, id and fence. Returns the numbers, from 0, of those no longer
-- held.
local until_then, members = now + ARGV[3], {}
for at = 4, #ARGV, 3 do
  members[#members + 1] = ARGV[at] .. ':' .. lease_of(ARGV[at + 1], ARGV[at + 2])
end
local held = redis.call('ZMSCORE', leases, unpack(members))
local renewed, lost = {}, {}
for i, member in ipairs(members) do
  if held[i] then
    local tenant, lease = split(member)
    append(renewed, leases, until_then, member)
    append(renewed, of_tenant('leases', tenant), until_then, lease)
  else
    lost[#lost + 1] = i - 1
  end
end
call_each('ZADD', renewed)
return lost
