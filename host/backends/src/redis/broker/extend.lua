-- Renews leases. ARGV[3]: length of a lease, then for each lease tenant, id and fence. Returns the numbers, from 0, of those no longer
-- held.
local expiry, members = whole(now + ARGV[3]), {}
for at = 4, #ARGV, 3 do
  members[#members + 1] = lease_of(ARGV[at], ARGV[at + 1], ARGV[at + 2])
end
local expiries, renewed, lost = redis.call('ZMSCORE', leases, unpack(members)), {}, {}
for i, member in ipairs(members) do
  if expiries[i] then
    renewed[#renewed + 1], renewed[#renewed + 2] = expiry, member
  else
    lost[#lost + 1] = i - 1
  end
end
if renewed[1] then
  redis.call('ZADD', leases, unpack(renewed))
end
return lost
