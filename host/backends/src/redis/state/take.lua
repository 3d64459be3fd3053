-- Reads a key of the state, and removes it where ARGV[4] is 'pop'. KEYS: state. ARGV: key, time to live, most bytes.
local key, field = KEYS[1], ARGV[1]
if redis.call('HSTRLEN', key, field) > tonumber(ARGV[3]) then
    return redis.error_reply('MALFORMED state ' .. key .. ' has a value that is too large')
end
local value = redis.call('HGET', key, field)
if ARGV[4] == 'pop' then
    redis.call('HDEL', key, field)
end
redis.call('EXPIRE', key, ARGV[2])
return value
