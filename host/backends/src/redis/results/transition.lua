-- A step in the life of a result. KEYS: result, value, report. Answers APPLIED, FENCED, MISSING or the final state it has.
-- A step that is sent again, since its answer was lost, is told apart by its fence and counts once.
local key, step, fence = KEYS[1], ARGV[1], tonumber(ARGV[2])
local node_id, at, state = ARGV[6], ARGV[7], ARGV[8]

local result = standing(key)
if not result then
    return 'MISSING'
elseif FINAL[result.state] then
    return result.state
elseif not sound(result) then
    return malformed(key)
elseif fence < result.attempt then
    return 'FENCED'
end

local same = fence == result.attempt
local running, suspended = '"RUNNING"', '"SUSPENDED"'
if step == 'start' then
    if not (same and result.state == running) then
        redis.call('HSET', key, 'state', running, 'started', at, 'node_id', node_id, 'attempt', ARGV[2])
        redis.call('HSET', key, 'number_of_starts', whole(result.starts + 1))
    end
elseif step == 'resume' then
    if not (same and result.state == running) then
        redis.call('HSET', key, 'state', running, 'node_id', node_id, 'number_of_starts', whole(result.starts + 1))
    end
elseif step == 'suspend' or step == 'retry' then
    if not (same and result.state == suspended) then
        redis.call('HSET', key, 'state', suspended, 'number_of_stops', whole(result.stops + 1))
        if step == 'retry' then
            redis.call('HSET', key, 'retries', whole(result.retries + 1))
        end
    end
else
    local stops, starts = result.stops + 1 - tonumber(ARGV[15]), result.starts - tonumber(ARGV[16])
    redis.call('HSET', key, 'state', state, 'finished', at)
    redis.call('HSET', key, 'number_of_stops', whole(math.max(stops, 0)), 'number_of_starts', whole(math.max(starts, 0)))
    conclude(key, KEYS[2], ARGV[4], ARGV, 9)
    if ARGV[14] ~= '' then
        redis.call('SET', KEYS[3], ARGV[14], 'EX', ARGV[5])
    end
end
redis.call('EXPIRE', key, ARGV[3])
return 'APPLIED'
