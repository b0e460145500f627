-- An ApplicationSet is as healthy as its Applications; Argo CD's own check is content once they exist.
local status = obj.status or {}
local told

for _, condition in ipairs(status.conditions or {}) do
  if condition.type == "ErrorOccurred" and condition.status == "True" then
    return { status = "Degraded", message = condition.message }
  end
  if condition.type == "ResourcesUpToDate" then
    if condition.status == "False" then
      return { status = "Degraded", message = condition.message }
    end
    told = condition.message
  end
end
if told == nil then
  return { status = "Progressing", message = "has made no Applications yet" }
end

local waiting
for _, application in ipairs(status.resources or {}) do
  local health = application.health ~= nil and application.health.status or "Unknown"
  if health == "Degraded" then
    return { status = "Degraded", message = application.name .. " is Degraded" }
  end
  if application.status ~= "Synced" or health ~= "Healthy" then
    waiting = waiting or (application.name .. " is " .. (application.status or "Unknown") .. " and " .. health)
  end
end
if waiting ~= nil then
  return { status = "Progressing", message = waiting }
end
return { status = "Healthy", message = told }
