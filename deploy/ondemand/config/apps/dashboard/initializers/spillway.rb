# To /etc/ood/config/apps/dashboard/initializers/. What the widget shows, as the command line tells it to the portal's user.
require 'date'
require 'etc'
require 'json'
require 'open3'
require 'time'

module SpillwayJobs
  # Why there is nothing to show, in words for the user.
  class NotTold < StandardError; end

  Row = Struct.new(:id, :name, :state, :starts, :cost, :trouble, keyword_init: true)

  # A dashboard waits for its widgets: no longer than this.
  SECONDS = 5
  # One each, as its owner may read it; deploy/ondemand/bin/spillway-token puts it there.
  TOKENS = '/run/spillway-tokens'.freeze

  module_function

  # Jobs that burst, and those that asked for the cloud and wait to; of the user whose process this is.
  def mine(user: Etc.getpwuid.name, now: Time.now)
    told = ask('jobs', '--details', '--user', user, '--json')
    asked = ENV.fetch('SPILLWAY_CLOUD_PARTITION', 'cloud')
    told.fetch('jobs')
        .select { |job| job['user'] == user && (job['burst'] || job['partition'] == asked) }
        .map { |job| row(job, now) }
  rescue KeyError, TypeError, ArgumentError, NoMethodError => e
    raise NotTold, "what Spillway says is not understood (#{e.message})"
  end

  def row(job, now)
    cloud = job['cloud'] || {}
    Row.new(
      id: job.fetch('job'), name: job.fetch('name'), state: state(job), starts: starts(job, cloud, now),
      cost: cloud['heldMicroUsd'] && format('%.2f USD', cloud['heldMicroUsd'] / 1_000_000.0), trouble: cloud['trouble']
    )
  end

  def state(job)
    return 'waits to be decided' unless job['burst']

    job['state'] == 'PENDING' ? "goes to the cloud (#{job['burst']['state']})" : job['state'].downcase
  end

  def starts(job, cloud, now)
    return "since #{clock(Time.parse(cloud['started']).localtime, now)}" if cloud['started']
    return '' unless cloud['starts']

    first, last = cloud['starts'].values_at('p50', 'p90').map { |at| Time.parse(at) }
    return 'later than expected' if last < now

    "in #{minutes(first, now)} to #{minutes(last, now)} min"
  end

  def minutes(at, now)
    [((at - now) / 60).ceil, 0].max
  end

  def clock(at, now)
    at.strftime(at.to_date == now.to_date ? '%H:%M' : '%F %H:%M')
  end

  def ask(*words)
    command = ['timeout', '-k', '1', SECONDS.to_s, ENV.fetch('SPILLWAY_BIN', 'spillway'), *words]
    out, err, status = Open3.capture3(environment, *command)
    raise NotTold, "Spillway did not answer within #{SECONDS} s" if [124, 137].include?(status.exitstatus)
    raise NotTold, err.force_encoding('UTF-8').scrub.lines.first.to_s.strip unless status.success?

    JSON.parse(out.force_encoding('UTF-8'))
  rescue JSON::ParserError, SystemCallError => e
    raise NotTold, e.message
  end

  def environment
    file = File.join(ENV.fetch('SPILLWAY_TOKENS', TOKENS), Etc.getpwuid.name)
    ENV.key?('SPILLWAY_TOKEN') || !File.exist?(file) ? {} : { 'SPILLWAY_TOKEN_FILE' => file }
  end
end
