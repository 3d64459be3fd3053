-- All metadata of a result, nil where there is no result. KEYS: result, metadata. ARGV: most keys, most bytes.
if redis.call('EXISTS', KEYS[1]) == 0 then
    return nil
end
if over_bound(KEYS[2], #ARGV + 1, tonumber(ARGV[1]), tonumber(ARGV[2])) then
    return redis.error_reply('MALFORMED metadata ' .. KEYS[2] .. ' is over every bound')
end
return redis.call('HGETALL', KEYS[2])
