-- Closes Spillway's partitions to everybody but the gateway. Without it nothing unsafe happens: a job that a user
-- puts into `burst` by hand ends with a line that says so, and nothing of it is run. With it he hears so at once.
-- A site that has a job_submit.lua already: call closed() from its two functions.
-- slurm.conf: JobSubmitPlugins=lua

-- Adapt: the uid of clusters[].slurm.user (id -u spillway). Root may move jobs too, so that an admin can help.
local movers = { [0] = true, [990] = true }
local ours = { burst = true, burst_wait = true }

local function closed(partitions)
   for name in string.gmatch(partitions or "", "[^,]+") do
      if ours[name] then return name end
   end
   return nil
end

function slurm_job_submit(job_desc, part_list, submit_uid)
   local name = closed(job_desc.partition)
   if name then
      slurm.log_user("partition %s is Spillway's own; submit with -p cloud, or to your usual partition", name)
      return slurm.ERROR
   end
   return slurm.SUCCESS
end

function slurm_job_modify(job_desc, job_rec, part_list, modify_uid)
   local name = closed(job_desc.partition)
   if name and not movers[modify_uid] then
      slurm.log_user("only Spillway moves jobs to partition %s", name)
      return slurm.ERROR
   end
   return slurm.SUCCESS
end

return slurm.SUCCESS
