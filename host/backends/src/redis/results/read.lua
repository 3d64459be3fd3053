-- Reads the results in KEYS, nil for each that does not exist. ARGV: the most bytes of one. The arguments' text is for people
-- only, so one that is too long is left out.
local most = tonumber(ARGV[1])
local results = {}
for i, key in ipairs(KEYS) do
    local values = redis.call('HMGET', key, 'id', 'name', 'state', 'number_of_starts', 'number_of_stops', 'parent_id', 'created', 'started',
        'finished', 'node_id', 'retries', 'request_kwargs_repr')
    if values[12] and #values[12] > most then
        values[12] = 'null'
    end
    local found, size = false, 0
    for _, value in ipairs(values) do
        found = found or value
        size = size + (value and #value or 0)
    end
    if size > 2 * most then
        return redis.error_reply('MALFORMED result ' .. key .. ' has ' .. size .. ' bytes')
    end
    results[i] = found and values
end
return results
