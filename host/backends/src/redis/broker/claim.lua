-- Handing out: the tenant that is furthest behind goes first; the shard's time is that at which the last one was served. The line is
-- read once and kept here while it changes, its first tenant last in the list.

-- Reads who may be served by the next `wanted` turns at the latest.
local function read_line(wanted)
  local found, line, names = redis.call('ZRANGE', runnable, 0, wanted - 1, 'WITHSCORES'), {}, {}
  for at = #found - 1, 1, -2 do
    if not tenants[found[at]] then
      note(found[at], runnable, sane(found[at + 1]))
      names[#names + 1] = found[at]
    end
    line[#line + 1] = tenants[found[at]]
  end
  if names[1] then
    look_up(names)
  end
  return line
end

local function before(one, other)
  return one.vtime < other.vtime or one.vtime == other.vtime and one.name < other.name
end

-- Puts a tenant that was served back in line, before the first that comes after it.
local function line_up(line, tenant)
  local low, high = 1, #line + 1
  while low < high do
    local middle = math.floor((low + high) / 2)
    if before(tenant, line[middle]) then
      low = middle + 1
    else
      high = middle
    end
  end
  table.insert(line, low, tenant)
end

-- Looks at a tenant whose turn comes for the first time: how many it may be handed, and how many are taken at once of its ready ones,
-- which is its part.
local function begin_turns(tenant, wanted, number)
  tenant.room, tenant.portion = tenant.share.cap - in_flight(tenant), math.ceil(wanted / number)
  tenant.taken, tenant.next = {}, 1
end

-- The first of a tenant's ready requests, taken out of their set with those after it; nil where there is none.
local function peek(tenant)
  local id = tenant.taken[tenant.next]
  if id or tenant.emptied then
    return id
  end
  local most = math.min(tenant.portion, tenant.room)
  tenant.taken, tenant.next = redis.call('ZPOPMIN', of_tenant('ready', tenant.name), most), 1
  tenant.emptied = #tenant.taken < 2 * most
  return tenant.taken[1]
end

-- Hands out the first of those taken; nil where it is gone, or a stranger put something else there. The text goes out as it is: taking
-- it apart here would copy it.
local function hand_out(tenant, id, expiries, expiry)
  tenant.next = tenant.next + 2
  local text = redis.pcall('GET', request_key(tenant.name, id))
  if not text or #text < BODY then
    return nil
  end
  local at = #expiries
  expiries[at + 1], expiries[at + 2] = expiry, lease_of(tenant.name, id, whole(fence_in(text) + 1))
  tenant.room = tenant.room - 1
  hold(tenant, 1)
  return { tenant.name, id, text }
end

-- Puts back what was taken of a tenant's requests and not handed out; whether any are ready.
local function put_rest_back(tenant)
  local rest, ready = {}, of_tenant('ready', tenant.name)
  for at = tenant.next, #tenant.taken, 2 do
    append(rest, ready, tenant.taken[at + 1], tenant.taken[at])
  end
  call_each('ZADD', rest)
  return rest[ready] ~= nil or not tenant.emptied and redis.call('EXISTS', ready) == 1
end

-- Leaves a tenant in line, or puts it where it belongs.
local function end_turns(tenant)
  local ready = put_rest_back(tenant)
  if not ready or tenant.room <= 0 then
    tenant.place, stood_ready[tenant.name] = ready and capped or nil, nil
    place(tenant)
  end
  tenant.room, tenant.emptied = nil, nil
end

-- One reading of the line. Adds to the answer; returns the bytes that may still be handed out, and whether more tenants may be in line
-- than were read.
local function serve(answer, wanted, expiry, bytes, cost)
  local line, expiries, served = read_line(wanted - #answer), {}, {}
  local number, more = #line, #line == wanted - #answer
  while #answer < wanted and bytes > 0 and line[1] do
    local tenant = table.remove(line)
    if not tenant.room then
      begin_turns(tenant, wanted - #answer, number)
      served[#served + 1] = tenant
    end
    local id = tenant.room > 0 and peek(tenant)
    if id then
      vtime = math.max(vtime, tenant.vtime)
      local delivery = hand_out(tenant, id, expiries, expiry)
      if delivery then
        answer[#answer + 1] = delivery
        bytes = bytes - #delivery[3]
        charge(tenant, cost)
      end
      line_up(line, tenant)
    end
  end
  for _, tenant in ipairs(served) do
    end_turns(tenant)
  end
  if expiries[1] then
    redis.call('ZADD', leases, unpack(expiries))
  end
  put_tenants_back()
  return bytes, more
end

-- Hands out up to `wanted` requests. The line is read again where tenants in it turned out to have none; not without end, as others
-- wait for the server.
local function claim(wanted, lease, bytes, cost)
  -- As text, which is made once: numbers are written anew for each command.
  local answer, more, readings, expiry = {}, true, 0, whole(now + lease)
  while #answer < wanted and bytes > 0 and more and readings < 4 do
    bytes, more = serve(answer, wanted, expiry, bytes, cost)
    readings = readings + 1
  end
  return answer
end
