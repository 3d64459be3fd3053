-- Takes new requests of one tenant in: creates their results and queues those that are not final. ARGV[3]: tenant, its share, time to
-- live of a result, then for each request what `create` takes and what `queue` takes. KEYS: the shard's base, then for each request
-- what `create` takes.
local tenant, ttl, any_ready = enter(ARGV[3], ARGV[4]), ARGV[5], false
local keys, at = 2, 6
while at <= #ARGV do
  local state, next = create(keys, at, ttl)
  if not FINAL[state or ''] then
    any_ready = queue(tenant.name, next) or any_ready
  end
  keys, at = keys + 3, next + 4
end
finish_queueing(tenant, any_ready)
