import { hash } from 'node:crypto'
import { GRAINS } from '../sliding-window.ts'

/**
 * Counts a request in several limits, or in none where one of them refuses: what `sliding-window.ts`, `token-bucket.ts`
 * and `calendar-window.ts` do, at the server's own time, in one step that nothing comes between. Every key is written
 * with the time at which it means nothing any more.
 *
 * KEYS: one a limit. ARGV[1]: `take`, `give` to take back what was counted last, or `back` for what was taken ahead and is
 * not used: of a window from its oldest entries, so that the others count as long as they should. Then six a limit: kind (`sliding`,
 * `bucket`, `calendar`), window in microseconds or the unit, quota, cost, burst, and how much more than the cost may be
 * taken ahead (0: nothing). Of what is left no more than a quarter is taken ahead.
 * Answers whether all fit, then for each limit: what is left, in milliseconds until something is left again and until
 * the request would fit, and how much was taken ahead.
 */
export const SCRIPT = `
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local DAY = 86400
local GRAINS = ${GRAINS}

local function civil(days)
  local z = days + 719468
  local era = math.floor(z / 146097)
  local doe = z - era * 146097
  local yoe = math.floor((doe - math.floor(doe / 1460) + math.floor(doe / 36524) - math.floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
  local mp = math.floor((5 * doy + 2) / 153)
  local month = mp < 10 and mp + 3 or mp - 9
  local year = yoe + era * 400
  if month <= 2 then year = year + 1 end
  return year, month
end

local function days(year, month)
  local y = month <= 2 and year - 1 or year
  local era = math.floor(y / 400)
  local yoe = y - era * 400
  local doy = math.floor((153 * (month > 2 and month - 3 or month + 9) + 2) / 5)
  local doe = yoe * 365 + math.floor(yoe / 4) - math.floor(yoe / 100) + doy
  return era * 146097 + doe - 719468
end

local function bounds(unit)
  local day = math.floor(now / 1000000 / DAY)
  local first, last
  if unit == 'day' then first, last = day, day + 1
  elseif unit == 'week' then first = day - (day + 3) % 7; last = first + 7
  else
    local year, month = civil(day)
    if unit == 'year' then first, last = days(year, 1), days(year + 1, 1)
    else
      first = days(year, month)
      if month == 12 then last = days(year + 1, 1) else last = days(year, month + 1) end
    end
  end
  return first * DAY * 1000000, last * DAY * 1000000
end

local function text(number) return string.format('%.0f', number) end

local limits = {}
local kinds = {}

-- A list: when the newest entry was opened, then pairs of when the last of an entry came and how much it holds.
kinds.sliding = {
  load = function(l)
    local found = redis.call('GET', l.key)
    l.log = found and cmsgpack.unpack(found) or { now }
    local log = l.log
    local newest = log[#log - 1]
    if #log > 1 and newest > now then
      local back = newest - now
      for i = 2, #log, 2 do log[i] = log[i] - back end
      log[1] = log[1] - back
    end
    local kept = { log[1] }
    l.used = 0
    for i = 2, #log, 2 do
      if log[i] + l.window > now then
        kept[#kept + 1] = log[i]
        kept[#kept + 1] = log[i + 1]
        l.used = l.used + log[i + 1]
      end
    end
    l.log = kept
  end,
  fits = function(l) return l.used + l.cost <= l.quota end,
  take = function(l)
    local log = l.log
    l.used = l.used + l.cost
    if #log > 1 and now - log[1] < l.window / GRAINS then
      log[#log - 1] = now
      log[#log] = log[#log] + l.cost
    else
      log[1] = now
      log[#log + 1] = now
      log[#log + 1] = l.cost
    end
  end,
  give = function(l)
    local log = l.log
    local left = l.cost
    for i = #log, 3, -2 do
      local back = math.min(left, log[i])
      log[i] = log[i] - back
      left = left - back
    end
  end,
  back = function(l)
    local log = l.log
    local left = l.cost
    for i = 3, #log, 2 do
      local back = math.min(left, log[i])
      log[i] = log[i] - back
      left = left - back
    end
  end,
  save = function(l)
    redis.call('SET', l.key, cmsgpack.pack(l.log), 'PX', text(math.ceil(l.window / 1000) + 1000))
  end,
  remaining = function(l) return l.quota - l.used end,
  reset = function(l) if #l.log < 3 then return 0 end return l.log[2] + l.window - now end,
  wait = function(l)
    local over = l.used + l.cost - l.quota
    for i = 2, #l.log, 2 do
      over = over - l.log[i + 1]
      if over <= 0 then return l.log[i] + l.window - now end
    end
    return l.window
  end,
}

kinds.bucket = {
  load = function(l)
    l.interval = l.window / l.quota
    l.missing = math.min(math.max(0, tonumber(redis.call('GET', l.key) or '0') - now), l.burst * l.interval)
  end,
  fits = function(l) return l.missing + (l.cost - 0.000001) * l.interval <= l.burst * l.interval end,
  take = function(l) l.missing = l.missing + l.cost * l.interval end,
  give = function(l) l.missing = math.max(0, l.missing - l.cost * l.interval) end,
  save = function(l)
    redis.call('SET', l.key, string.format('%.3f', now + l.missing), 'PX', text(math.ceil(l.missing / 1000) + 1000))
  end,
  remaining = function(l) return math.floor(l.burst - l.missing / l.interval + 0.000001) end,
  reset = function(l) return l.missing end,
  wait = function(l) return l.missing + (l.cost - l.burst) * l.interval end,
}

kinds.calendar = {
  load = function(l)
    local first, last = bounds(l.unit)
    l.first, l.last, l.used = first, last, 0
    local found = redis.call('GET', l.key)
    if not found then return end
    local was, upto, used = string.match(found, '^(%d+):(%d+):(%d+)$')
    if not was then return end
    was, upto = tonumber(was), tonumber(upto)
    if now < upto and (now >= was or was - now <= DAY * 1000000) then
      l.first, l.last, l.used = was, upto, tonumber(used)
    end
  end,
  fits = function(l) return l.used + l.cost <= l.quota end,
  take = function(l) l.used = l.used + l.cost end,
  give = function(l) l.used = math.max(0, l.used - l.cost) end,
  save = function(l)
    local value = text(l.first) .. ':' .. text(l.last) .. ':' .. text(l.used)
    redis.call('SET', l.key, value, 'PX', text(math.ceil((l.last - now) / 1000) + 1000))
  end,
  remaining = function(l) return l.quota - l.used end,
  reset = function(l) if l.used == 0 then return 0 end return l.last - now end,
  wait = function(l) return l.last - now end,
}

local fits = true
for i = 1, #KEYS do
  local at = 2 + (i - 1) * 6
  local l = { key = KEYS[i], kind = kinds[ARGV[at]], unit = ARGV[at + 1], window = tonumber(ARGV[at + 1]),
    quota = tonumber(ARGV[at + 2]), cost = tonumber(ARGV[at + 3]), burst = tonumber(ARGV[at + 4]),
    ahead = tonumber(ARGV[at + 5]) }
  l.kind.load(l)
  limits[i] = l
  l.fits = l.kind.fits(l)
  fits = fits and l.fits
end
if ARGV[1] ~= 'take' then
  for i = 1, #limits do
    local kind = limits[i].kind
    local undo = ARGV[1] == 'back' and kind.back or kind.give
    undo(limits[i])
    limits[i].kind.save(limits[i])
  end
  return {}
end
local answer = { fits and 1 or 0 }
for i = 1, #limits do
  local l = limits[i]
  local ahead = 0
  if fits then
    ahead = math.max(0, math.min(l.ahead, math.floor(l.kind.remaining(l) / 4) - l.cost))
    l.cost = l.cost + ahead
    l.kind.take(l)
    l.kind.save(l)
  end
  answer[#answer + 1] = math.max(0, l.kind.remaining(l))
  answer[#answer + 1] = math.ceil(l.kind.reset(l) / 1000)
  if l.fits then answer[#answer + 1] = 0 else answer[#answer + 1] = math.max(1, math.ceil(l.kind.wait(l) / 1000)) end
  answer[#answer + 1] = ahead
end
return answer
`

/** The name under which a server that has seen it knows it. */
export const SCRIPT_SHA = hash('sha1', SCRIPT)
