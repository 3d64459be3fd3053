-- Queues requests of one tenant. ARGV[3]: tenant, its share, then for each request what `queue` takes.
local tenant = enter(ARGV[3], ARGV[4])
for at = 5, #ARGV, 5 do
  queue(tenant.name, at)
end
finish_queueing(tenant)
