-- Makes a result REVOKED, as Mognet's client does. KEYS: result, value. Answers the state before, nil where there was none.
local key, finished = KEYS[1], ARGV[3]
local result = standing(key)
if result and FINAL[result.state] then
    return result.state
elseif result and not sound(result) then
    return malformed(key)
end
if result then
    redis.call('HSET', key, 'state', '"REVOKED"', 'finished', finished, 'number_of_stops', whole(result.stops + 1))
else
    for i = 8, #ARGV, 2 do
        redis.call('HSET', key, ARGV[i], ARGV[i + 1])
    end
end
conclude(key, result, KEYS[2], ARGV[2], ARGV, 4)
announce()
redis.call('EXPIRE', key, ARGV[1])
return result and result.state
