-- Numbers and their texts. Most are small, and cheaper looked up than formatted or parsed. The last one is how a fence is written that
-- was never handed out.
local DIGITS = { [0] = '0', '1', '2', '3' }
local NUMBERS = { ['0'] = 0, ['1'] = 1, ['2'] = 2, ['3'] = 3, ['0000000000'] = 0 }

local function whole(number)
  return DIGITS[number] or string.format('%.0f', number)
end

-- The number in a text, 0 where there is none; nil where it holds something else.
local function number_in(text)
  return NUMBERS[text] or tonumber(text or 0)
end

-- A number that is one, whatever others wrote: 0 in the place of anything else.
local function sane(text)
  local number = number_in(text)
  return number and number == number and number < math.huge and number > -math.huge and number or 0
end
