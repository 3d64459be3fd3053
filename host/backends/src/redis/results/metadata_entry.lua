-- One key of a result's metadata: a list of its value, or of nil where there is no such key; nil where there is no result.
-- KEYS: result, metadata. ARGV: the key, most bytes.
if redis.call('EXISTS', KEYS[1]) == 0 then
    return nil
end
if redis.call('HSTRLEN', KEYS[2], ARGV[1]) > tonumber(ARGV[2]) then
    return redis.error_reply('MALFORMED metadata ' .. KEYS[2] .. ' is over every bound')
end
return { redis.call('HGET', KEYS[2], ARGV[1]) }
