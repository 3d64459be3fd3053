-- Replaces an index that still has a revision. KEYS: index, the generation of all. ARGV: revision, next revision, index, what
-- it serves. Answers 1 where it was replaced.
if (redis.call('HGET', KEYS[1], 'revision') or '0') ~= ARGV[1] then
    return 0
end
redis.call('HSET', KEYS[1], 'revision', ARGV[2], 'index', ARGV[3], 'serving', ARGV[4])
redis.call('INCR', KEYS[2])
return 1
