# `spillway quote` as the portal's user: no shell, no longer and no more of it than a form can wait for and show.
require 'etc'
require 'json'
require_relative 'site'

module SpillwayQuote
  module Command
    # In words for the user.
    class Failed < StandardError; end
    class Late < Failed; end

    # Bytes that it may print; a quote has some kB.
    MOST = 1 << 20
    SECONDS = 8
    MOST_SECONDS = 600
    NODES_OWN = /\A(\(node:\d+\) |\(Use `node --trace-|Warning: )/.freeze
    LATE = 'Spillway did not answer in time'.freeze
    # One each, as its owner may read it; deploy/ondemand/bin/spillway-token puts it there.
    TOKENS = '/run/spillway-tokens'.freeze
    JOB = File.join(__dir__, 'job.sh').freeze

    module_function

    def quote(words)
      out, err, status = run(environment, Site.said('SPILLWAY_BIN', 'spillway'), 'quote', JOB, '--json', *words)
      raise Failed, line(err) unless status.success?

      JSON.parse(out)
    rescue JSON::ParserError
      raise Failed, 'what Spillway says is not understood'
    end

    def run(env, command, *args)
      until_when = now + patience
      (out, out_in), (err, err_in) = IO.pipe, IO.pipe
      # A group of its own, so that what it starts ends with it. The pair is the form that never means a shell.
      pid = Process.spawn(
        env, [command, command], *args, in: File::NULL, out: out_in, err: err_in, pgroup: true, chdir: home
      )
      ended = Process.detach(pid)
      [out_in, err_in].each(&:close)
      told = read([out, err], until_when)
      raise Late, LATE unless ended.join([until_when - now, 0].max)

      over = true
      [*told, ended.value]
    rescue SystemCallError
      raise Failed, 'the command spillway cannot be run on this host'
    ensure
      stop(pid) if pid && !over
      [out, out_in, err, err_in].each { |pipe| pipe&.close }
    end

    def read(pipes, until_when)
      told = pipes.to_h { |pipe| [pipe, +''] }
      open = pipes.dup
      until open.empty?
        ready, = IO.select(open, nil, nil, [until_when - now, 0].max)
        raise Late, LATE unless ready

        ready.each do |pipe|
          piece = pipe.read_nonblock(1 << 16, exception: false)
          next if piece == :wait_readable
          next open.delete(pipe) unless piece

          told[pipe] << piece
          raise Failed, 'Spillway says more than can be read' if told[pipe].bytesize > MOST
        end
      end
      told.values.map { |text| text.force_encoding('UTF-8').scrub }
    end

    def stop(pid)
      Process.kill(:KILL, -pid)
    rescue Errno::ESRCH
      # It ended by itself meanwhile.
    end

    # The first line that says something; what Node itself warns of is nothing to a user.
    def line(err)
      lines = err.gsub(/\e\[[0-9;]*m/, '').lines.map { |l| l.gsub(/[[:cntrl:]]/, ' ').strip }
      said = lines.find { |l| !l.empty? && !l.match?(NODES_OWN) }
      said ? said[0, 300] : 'Spillway failed, and does not say why'
    end

    def patience
      seconds = Float(Site.said('SPILLWAY_QUOTE_SECONDS', SECONDS), exception: false)
      seconds&.between?(0, MOST_SECONDS) ? seconds : raise(Failed, "SPILLWAY_QUOTE_SECONDS: write seconds, such as #{SECONDS}")
    end

    # A directory of users that does not answer has nobody either.
    def user
      Etc.getpwuid || raise(ArgumentError)
    rescue ArgumentError
      raise Failed, 'this host does not know whose portal this is'
    end

    # A job is submitted from there, and whether the cloud has that directory is part of the answer; it has not this app's.
    def home
      dir = user.dir
      File.directory?(dir) ? dir : '/'
    end

    def environment
      file = File.join(Site.said('SPILLWAY_TOKENS', TOKENS), user.name)
      Site.said('SPILLWAY_TOKEN') || !File.exist?(file) ? {} : { 'SPILLWAY_TOKEN_FILE' => file }
    end

    def now
      Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end
  end
end
