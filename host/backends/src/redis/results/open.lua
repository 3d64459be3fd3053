-- How the results in KEYS stand: state, attempt and queue of each that is open, nil for the others. Those need no place among the
-- open ones: Mognet's client revokes without knowing of it, and a result may have been evicted.
local standings = {}
for i, key in ipairs(KEYS) do
    local found = redis.call('HMGET', key, 'state', 'attempt', 'queue')
    if found[1] and not FINAL[found[1]] then
        standings[i] = { found[1], found[2] or '0', found[3] or '' }
    else
        redis.call('ZREM', OPEN, key)
        standings[i] = false
    end
end
return standings
