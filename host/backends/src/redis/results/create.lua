-- Stores new results: child, result, metadata.
local fields_from, most_at_once = 5, 100

-- Sets fields of a hash from the arguments `first` to `last`, a bounded number at once.
local function set(key, first, last)
    for i = first, last, most_at_once do
        redis.call('HSET', key, unpack(ARGV, i, math.min(i + most_at_once - 1, last)))
    end
end

-- Stores one, unless it is there. Its keys, from `keys` on: result, metadata, the parent's children. Its arguments, from `at` on: the
-- child's id or '', the microsecond, the queue where it is not the default one, how many arguments the result's fields take, how many
-- its metadata, then these. Returns its state before, none where it is new; and where the next arguments are.
local function create(keys, at, ttl)
    local key, metadata, children = KEYS[keys], KEYS[keys + 1], KEYS[keys + 2]
    local child, moment, queue, fields = ARGV[at], ARGV[at + 1], ARGV[at + 2], tonumber(ARGV[at + 3])
    local first = at + fields_from
    local entries = first + fields
    local after = entries + tonumber(ARGV[at + 4])
    if child ~= '' then
        redis.call('SADD', children, child)
        redis.call('EXPIRE', children, ttl)
    end
    -- A hash without a state is what Mognet's client leaves when it asks for a result that is not there yet.
    local state = redis.call('HGET', key, 'state')
    if state then
        return state, after
    end
    set(key, first, entries - 1)
    if queue ~= '' then
        redis.call('HSET', key, 'queue', queue)
    end
    redis.call('ZADD', OPEN, moment, key)
    redis.call('EXPIRE', key, ttl)
    if after > entries then
        set(metadata, entries, after - 1)
        redis.call('EXPIRE', metadata, ttl)
    end
    return nil, after
end
