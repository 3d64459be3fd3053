-- Which of the results in KEYS are final or gone: their positions, from 0.
local finished = {}
for i, key in ipairs(KEYS) do
    local result = standing(key)
    if not result or FINAL[result.state] then
        finished[#finished + 1] = i - 1
    end
end
return finished
