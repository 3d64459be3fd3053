-- Reads a key of the state, and removes it where an attempt says so that holds the request. KEYS: state, result. ARGV: key, time to
-- live, most bytes, and the fence or '' where it is only read. Answers STORED, MISSING or FENCED, then the value if there is one.
local key, field, fence = KEYS[1], ARGV[1], ARGV[4]
local why = fence ~= '' and refused(KEYS[2], fence)
if why then
    return type(why) == 'table' and why or { why, false }
elseif redis.call('HSTRLEN', key, field) > tonumber(ARGV[3]) then
    return redis.error_reply('MALFORMED state ' .. key .. ' has a value that is too large')
end
local value = redis.call('HGET', key, field)
if fence ~= '' then
    redis.call('HDEL', key, field)
end
redis.call('EXPIRE', key, ARGV[2])
return { 'STORED', value }
