-- Queues requests of one tenant. ARGV[3]: tenant, its share, then for each request what `queue` takes.
local tenant, any_ready = enter(ARGV[3], ARGV[4]), false
for at = 5, #ARGV, 4 do
  any_ready = queue(tenant.name, at) or any_ready
end
finish_queueing(tenant, any_ready)
