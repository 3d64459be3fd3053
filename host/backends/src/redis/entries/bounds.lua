-- Whether a hash with further entries (ARGV from `first` on, key and value in turn) stays within its bounds: nil, 'KEYS' or
-- 'BYTES'. What is overwritten counts once.
local function over_bound(key, first, most_keys, most_bytes)
    local count = redis.call('HLEN', key)
    if count > most_keys then
        return 'KEYS'
    end
    local bytes = 0
    for _, field in ipairs(redis.call('HKEYS', key)) do
        bytes = bytes + #field + redis.call('HSTRLEN', key, field)
    end
    for i = first, #ARGV, 2 do
        if redis.call('HEXISTS', key, ARGV[i]) == 1 then
            bytes = bytes - redis.call('HSTRLEN', key, ARGV[i]) + #ARGV[i + 1]
        else
            count = count + 1
            bytes = bytes + #ARGV[i] + #ARGV[i + 1]
        end
    end
    return count > most_keys and 'KEYS' or bytes > most_bytes and 'BYTES' or nil
end
