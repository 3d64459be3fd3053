-- Steps in the lives of results. ARGV: times to live of a result, a value and a report, then for each step its name, fence, node and
-- moment, and for a finish also the state, contents, encoding, content type, channel, report, and how many stops and starts of its
-- waits are not to be counted. KEYS: for each the result, and for a finish also value, report and state. Answers for each APPLIED,
-- FENCED, MISSING, FINAL and the state it has, or MALFORMED and a reason. A step that is sent again, since its answer was lost, is told
-- apart by its fence and counts once.
local result_ttl, value_ttl, report_ttl = ARGV[1], ARGV[2], ARGV[3]
local running, suspended = '"RUNNING"', '"SUSPENDED"'

-- The states of the requests that are done, removed together.
local states = {}

local function finish(keys, arguments, result)
    local key, at, report = KEYS[keys], ARGV[arguments + 3], ARGV[arguments + 9]
    local stops, starts = result.stops + 1 - number_in(ARGV[arguments + 10]), result.starts - number_in(ARGV[arguments + 11])
    redis.call('HSET', key, 'state', ARGV[arguments + 4], 'finished', at, 'number_of_stops', whole(math.max(stops, 0)),
        'number_of_starts', whole(math.max(starts, 0)))
    conclude(key, KEYS[keys + 1], value_ttl, ARGV, arguments + 5)
    if report ~= '' then
        redis.call('SET', KEYS[keys + 2], report, 'EX', report_ttl)
    end
    live_on(key, result, at, result_ttl)
    states[#states + 1] = KEYS[keys + 3]
end

-- The steps by name. Each is given where its keys and arguments begin, the result, and whether this attempt took a step before.
local steps = {}

function steps.start(keys, arguments, result, same)
    if not (same and result.state == running) then
        start(KEYS[keys], result, ARGV[arguments + 1], ARGV[arguments + 2], ARGV[arguments + 3], result_ttl)
    end
end

function steps.resume(keys, arguments, result, same)
    if not (same and result.state == running) then
        redis.call('HSET', KEYS[keys], 'state', running, 'node_id', ARGV[arguments + 2], 'number_of_starts', whole(result.starts + 1))
    end
end

function steps.suspend(keys, _, result, same)
    if same and result.state == suspended then
        return false
    end
    redis.call('HSET', KEYS[keys], 'state', suspended, 'number_of_stops', whole(result.stops + 1))
    return true
end

function steps.retry(keys, arguments, result, same)
    if steps.suspend(keys, arguments, result, same) then
        redis.call('HSET', KEYS[keys], 'retries', whole(result.retries + 1))
    end
end

local function take(keys, arguments)
    local key, step, fence = KEYS[keys], ARGV[arguments], number_in(ARGV[arguments + 1])
    local result = standing(key)
    if not result then
        return 'MISSING'
    elseif FINAL[result.state] then
        if step == 'finish' then
            -- Mognet's client revokes with a value that would live for ever.
            redis.call('EXPIRE', KEYS[keys + 1], value_ttl, 'NX')
        end
        return 'FINAL ' .. result.state
    elseif not sound(result) then
        return malformed(key)
    elseif fence < result.attempt then
        return 'FENCED'
    elseif step == 'finish' then
        finish(keys, arguments, result)
    else
        steps[step](keys, arguments, result, fence == result.attempt)
        redis.call('EXPIRE', key, result_ttl)
    end
    return 'APPLIED'
end

local function size(arguments)
    if ARGV[arguments] == 'finish' then
        return 4, 12
    end
    return 1, 4
end

local answers, failed = take_each(4, size, take)
if failed then
    return failed
end
if states[1] then
    redis.call('DEL', unpack(states))
end
announce()
return answers
