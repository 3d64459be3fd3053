-- Takes new requests of one tenant in: creates their results and queues those that are not final. ARGV[3]: tenant, its share, time to
-- live of a result, then for each request what `create` takes and what `queue` takes. KEYS: the shard's base, then for each request
-- what `create` takes.
local tenant, ttl = enter(ARGV[3], ARGV[4]), ARGV[5]
-- All are created before any is queued: a result that makes no sense ends the call, and what was queued by then would not be in line.
local keys, at, open = 2, 6, {}
while at <= #ARGV do
  local state, next = create(keys, at, ttl)
  if not FINAL[state or ''] then
    open[#open + 1] = next
  end
  keys, at = keys + 3, next + 5
end
for _, arguments in ipairs(open) do
  queue(tenant.name, arguments)
end
finish_queueing(tenant)
