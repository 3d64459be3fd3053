-- Removes requests that lie ready or held back, and returns their ids. ARGV[3]: tenant, its share, how many at most.
local name, most = ARGV[3], tonumber(ARGV[5])
local tenant = enter(name, ARGV[4])
local ready_key, delayed_key = of_tenant('ready', name), of_tenant('delayed', name)
local ids = {}

local ready = redis.call('ZPOPMIN', ready_key, most)
for at = 1, #ready, 2 do
  ids[#ids + 1] = ready[at]
end
if #ids < most and any_delayed then
  for _, id in ipairs(redis.call('SPOP', delayed_key, most - #ids)) do
    redis.call('ZREM', delayed, name .. ':' .. id)
    ids[#ids + 1] = id
  end
end
for _, id in ipairs(ids) do
  redis.call('DEL', request_key(name, id))
end
if redis.call('EXISTS', ready_key) == 0 then
  -- Nobody is in line for nothing.
  tenant.place = resting
  place(tenant)
end
put_tenants_back(tenants)
put_back()
return ids
