-- An Application is healthy once it is Synced, its last sync Succeeded, and its resources are healthy: only then may the
-- next wave begin. Without this check Argo CD starts all waves at once.

-- Argo CD's Lua has no string library.
local errors = { ComparisonError = true, InvalidSpecError = true, SyncError = true, UnknownError = true }

-- Whether two sources say the same; what one of them leaves out is as good as empty.
local function same(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then
    local function plain(value)
      if value == nil or value == "" or value == false or (type(value) == "table" and next(value) == nil) then
        return nil
      end
      return value
    end
    return plain(a) == plain(b)
  end
  for key in pairs(a) do
    if not same(a[key], b[key]) then return false end
  end
  for key in pairs(b) do
    if a[key] == nil and not same(nil, b[key]) then return false end
  end
  return true
end

local function of_this_spec(record)
  return obj.spec.sourceHydrator ~= nil or record ~= nil and same(obj.spec.source, record.source) and same(obj.spec.sources, record.sources)
end

local function waiting(message)
  return { status = "Progressing", message = message }
end

local status = obj.status or {}
local sync = status.sync or {}
local health = status.health or {}
local operation = status.operationState

-- Right after its parent changed it, an Application still reports what it was before.
if not of_this_spec(sync.comparedTo) then
  return waiting("its present source has not been looked at yet")
end

if obj.operation ~= nil or (operation ~= nil and operation.phase == "Running") then
  operation = operation or {}
  return waiting(operation.message or "is being synced")
end

-- A failed sync of an older revision or source will be followed by another one.
local result = operation ~= nil and operation.syncResult or nil
local latest = result == nil
  or (of_this_spec(result) and same(result.revision, sync.revision) and same(result.revisions, sync.revisions))
if operation ~= nil and operation.phase ~= "Succeeded" and latest then
  return { status = "Degraded", message = "sync " .. tostring(operation.phase) .. ": " .. (operation.message or "") }
end

if sync.status ~= "Synced" then
  for _, condition in ipairs(status.conditions or {}) do
    if errors[condition.type] then
      return waiting(condition.message)
    end
  end
  return waiting("is " .. (sync.status or "not compared with Git yet"))
end

return { status = health.status or "Progressing", message = health.message or "" }
