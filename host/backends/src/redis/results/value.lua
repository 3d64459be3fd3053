-- The fields of a value, nil where there is none. KEYS: value. ARGV: most bytes.
if redis.call('HSTRLEN', KEYS[1], 'contents') > tonumber(ARGV[1]) or redis.call('HSTRLEN', KEYS[1], 'encoding') > 64 then
    return redis.error_reply('MALFORMED value ' .. KEYS[1] .. ' is too large')
end
local found = redis.call('HMGET', KEYS[1], 'contents', 'encoding')
return found[1] and { found[1], found[2] or 'null' }
