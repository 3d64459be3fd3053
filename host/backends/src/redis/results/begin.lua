-- Starts attempts where results, retries and ancestors allow it. ARGV: time to live, the node, the moment, then for each attempt
-- its fence, crashes that the broker counted, the most allowed, 1 where it is to start, and its number of ancestors. KEYS: for each
-- the result, then those of its ancestors, outermost first.
-- Answers for each MISSING, FINAL and the state, FENCED, RETRIES and how many, GONE or REVOKED and which ancestor from 0, ADMITTED
-- and the retries so far, or MALFORMED and a reason.
local ttl, node_id, at = ARGV[1], ARGV[2], ARGV[3]
local running, revoked = '"RUNNING"', '"REVOKED"'

local function orphaned(first, count)
    for i = 0, count - 1 do
        local state = redis.call('HGET', KEYS[first + i], 'state')
        if state == revoked then
            return 'REVOKED ' .. i
        elseif not state and redis.call('EXISTS', KEYS[first + i]) == 0 then
            return 'GONE ' .. i
        end
    end
end

local function begin(keys, arguments)
    local key, fence = KEYS[keys], number_in(ARGV[arguments])
    local result = standing(key)
    if not result then
        return 'MISSING'
    elseif FINAL[result.state] then
        return 'FINAL ' .. result.state
    elseif not sound(result) then
        return malformed(key)
    elseif fence < result.attempt then
        return 'FENCED'
    end
    local again = fence == result.attempt and result.state == running
    local unexpected = math.max(result.starts - result.stops - (again and 1 or 0), number_in(ARGV[arguments + 1]))
    if unexpected > number_in(ARGV[arguments + 2]) then
        return 'RETRIES ' .. whole(unexpected)
    end
    local orphan = orphaned(keys + 1, number_in(ARGV[arguments + 4]))
    if orphan then
        return orphan
    end
    if ARGV[arguments + 3] == '1' and not again then
        start(key, result, ARGV[arguments], node_id, at, ttl)
    end
    return 'ADMITTED ' .. whole(result.retries)
end

local function size(arguments)
    return 1 + number_in(ARGV[arguments + 4]), 5
end

local answers, failed = take_each(4, size, begin)
return answers or failed
