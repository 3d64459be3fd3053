-- Replaces the record of a tenant, or removes it, where it still has the revision that is named. KEYS: records, revisions. ARGV: tenant,
-- revision, 1 where it is replaced, record. A record that is removed keeps its revision, so that nodes learn of it.
local records, revisions = KEYS[1], KEYS[2]
local tenant, revision = ARGV[1], ARGV[2]
if (tonumber(redis.call('ZSCORE', revisions, tenant)) or 0) ~= tonumber(revision) then
    return 0
end
local last = redis.call('ZRANGE', revisions, -1, -1, 'WITHSCORES')
redis.call('ZADD', revisions, (tonumber(last[2]) or 0) + 1, tenant)
if ARGV[3] == '1' then
    redis.call('HSET', records, tenant, ARGV[4])
else
    redis.call('HDEL', records, tenant)
end
return 1
