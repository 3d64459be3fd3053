-- Stores a new result: child, result, metadata. KEYS: result, metadata, the parent's children. ARGV: time to live, the child's id
-- or '', the microsecond, the queue where it is not the default one, the number of the result's fields, those fields, metadata. Answers 1 where the result is new.
local ttl, child, queue, fields = ARGV[1], ARGV[2], ARGV[4], tonumber(ARGV[5])
if child ~= '' then
    redis.call('SADD', KEYS[3], child)
    redis.call('EXPIRE', KEYS[3], ttl)
end
-- A hash without a state is what Mognet's client leaves when it asks for a result that is not there yet.
if redis.call('HEXISTS', KEYS[1], 'state') == 1 then
    return 0
end
redis.call('HSET', KEYS[1], unpack(ARGV, 6, 5 + 2 * fields))
if queue ~= '' then
    redis.call('HSET', KEYS[1], 'queue', queue)
end
redis.call('ZADD', OPEN, ARGV[3], KEYS[1])
redis.call('EXPIRE', KEYS[1], ttl)
local first = 6 + 2 * fields
for i = first, #ARGV, 100 do
    redis.call('HSET', KEYS[2], unpack(ARGV, i, math.min(i + 99, #ARGV)))
end
if first <= #ARGV then
    redis.call('EXPIRE', KEYS[2], ttl)
end
return 1
