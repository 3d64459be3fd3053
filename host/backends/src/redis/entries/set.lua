-- Stores entries beside a result, all or none. KEYS: result, the hash of the entries. ARGV: fence or '', most keys, most bytes, time to
-- live, then key and value in turn. Answers STORED, MISSING, FENCED, KEYS or BYTES.
local why = refused(KEYS[1], ARGV[1]) or over_bound(KEYS[2], 5, tonumber(ARGV[2]), tonumber(ARGV[3]))
if why then
    return why
end
for i = 5, #ARGV, 2 do
    redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1])
end
redis.call('EXPIRE', KEYS[2], ARGV[4])
return 'STORED'
